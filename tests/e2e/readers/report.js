// The same app on Node's own server: `node report.js PORT`.
const http = require("http");
const crypto = require("crypto");

http.createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const body = Buffer.concat(pieces);
    const what = request.url.endsWith("/sentinel") ? "sentinel" : "request";
    const digest = crypto.createHash("sha256").update(body).digest("hex").slice(0, 16);
    response.writeHead(200, { "X-Read": `${request.method} ${what} ${body.length} ${digest}`, "Content-Length": 0 });
    response.end();
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
