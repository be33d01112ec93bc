"""A web page for the gzip scenarios: text and markup about as repetitive as those of a real shop.

Generated, not fetched, and the same on every machine: a fixed seed, words drawn by Zipf's law. It compresses to about a
fifth.
"""

from __future__ import annotations

import random

_WORDS_TEXT = """
    the of and to in a is for on that with as it at by from be this are or an was not have your you we can our all
    more has new will one about their when which there if out up what time other into see them only page home search
    free view some these first any like now may people over how after back work year good just through most where
    much before right here between service price product order cart delivery return customer review colour size
    material cotton leather wooden handmade garden kitchen lamp table chair shelf blanket cushion coffee breakfast
    morning evening winter summer light dark green blue quiet bright simple durable available warehouse shipping
    address account password payment invoice gift
"""
_WORDS = tuple(_WORDS_TEXT.split())
_CARD = """      <article class="product-card product-card--{kind}" id="product-{number}" data-sku="SKU-{number:06d}">
        <a class="product-card__link" href="/products/{number}/{slug}?ref=listing&amp;position={position}">
          <img class="product-card__image" src="/media/{number}/{slug}-320.webp" width="320" height="240"
            alt="{title}" loading="lazy">
        </a>
        <h2 class="product-card__title">{title}</h2>
        <p class="product-card__text">{text}</p>
        <p class="product-card__price"><span class="price">{price}</span> <del class="price price--old">{old}</del></p>
        <form method="post" action="/cart/add"><input type="hidden" name="token" value="{token:016x}">
          <button class="button button--primary" name="product" value="{number}">Add to cart</button></form>
      </article>
"""
_HEAD = """<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Everything for the house</title><link rel="stylesheet" href="/static/site.8f3a1c.css">
    <script src="/static/site.77b0e2.js" defer></script></head>
  <body class="page page--listing">
    <main class="listing">
"""


def make_page(size: int) -> bytes:
    """HTML of at least `size` bytes; a prefix of it is as typical as the whole."""
    chance = random.Random(20 * 1024)
    weights = [1 / (rank + 3) for rank in range(len(_WORDS))]
    parts = [_HEAD]
    length = len(_HEAD)
    while length < size:
        title = " ".join(chance.choices(_WORDS, weights, k=4)).capitalize()
        card = _CARD.format(
            kind=chance.choice(("wide", "narrow", "featured")),
            number=chance.randrange(100_000),
            slug=title.lower().replace(" ", "-"),
            position=len(parts),
            title=title,
            text=" ".join(chance.choices(_WORDS, weights, k=45)).capitalize() + ".",
            price=f"{chance.randrange(500, 20_000) / 100:.2f}",
            old=f"{chance.randrange(500, 20_000) / 100:.2f}",
            token=chance.getrandbits(64),
        )
        parts.append(card)
        length += len(card)
    return "".join(parts).encode("ascii")
