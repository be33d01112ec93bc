from lb.telemetry.record cimport Record

cpdef bytes json_line(Record record, bytes time)
cpdef bytes combined_line(Record record, bytes time)
