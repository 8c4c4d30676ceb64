-- One kind of request for wrk; the benchmark says which in the environment. In path and body, %d counts through the
-- ids; in the path, %u goes round the users, of whom each has a line with a token.
local path, body = os.getenv("TARGET"), os.getenv("BODY")
local first, ids = tonumber(os.getenv("FIRST")), tonumber(os.getenv("IDS"))
local counts, sent = (path .. body):find("%%[du]"), 0
local tokens = {}
for token in os.getenv("AUTHORIZATION"):gmatch("[^\n]+") do tokens[#tokens + 1] = token end
wrk.method = os.getenv("METHOD")
wrk.headers["Authorization"] = tokens[1]
if body ~= "" then
   wrk.body = body
   wrk.headers["Content-Type"] = "application/json"
end

function request()
   if not counts then return wrk.format(nil, path) end
   local user = sent % #tokens
   local with = {["%d"] = string.format("%d", first + sent % ids), ["%u"] = string.format("%02d", user)}
   sent = sent + 1
   wrk.headers["Authorization"] = tokens[user + 1]
   return wrk.format(nil, path:gsub("%%[du]", with), nil, body ~= "" and body:gsub("%%d", with) or nil)
end

function done(summary, latency)
   local errors = summary.errors
   print(string.format(
      '{"requests": %d, "bytes": %d, "seconds": %f, "failed": %d, "p50_ms": %f, "p99_ms": %f}',
      summary.requests, summary.bytes, summary.duration / 1e6,
      errors.status + errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
