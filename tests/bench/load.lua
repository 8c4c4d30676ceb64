-- One kind of request for wrk; the benchmark says which in the environment. %d in the path counts through the ids.
local path, first, ids = os.getenv("TARGET"), tonumber(os.getenv("FIRST")), tonumber(os.getenv("IDS"))
local counts, sent = path:find("%d", 1, true), 0
wrk.method = os.getenv("METHOD")
wrk.headers["Authorization"] = os.getenv("AUTHORIZATION")
if os.getenv("BODY") ~= "" then
   wrk.body = os.getenv("BODY")
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   if not counts then return wrk.format(nil, path) end
   sent = sent + 1
   return wrk.format(nil, path:format(first + (sent - 1) % ids))
end

function done(summary, latency)
   local errors = summary.errors
   print(string.format(
      '{"requests": %d, "bytes": %d, "seconds": %f, "failed": %d, "p50_ms": %f, "p99_ms": %f}',
      summary.requests, summary.bytes, summary.duration / 1e6,
      errors.status + errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
