-- What nginx does for Logcast beyond its configuration: checks signed links, and asks a gateway once for what many want.
--
-- Links: gateway/signed_links.py has the format; here the same check with OpenSSL's HMAC, which nginx has loaded already.
--
-- Collapse: viewers of a low-latency stream all ask for the next playlist and part before it exists, and the gateway
-- answers when it does. nginx's proxy_cache_lock wakes its waiters up to 0.5 s late, so: the first one in a worker to ask
-- fetches it into the cache (a subrequest, so that a viewer who leaves takes nothing from the others); the rest wait on a
-- semaphore and are then served from the cache. Among workers, who has the flight is in a shared dictionary, and the others
-- look every 10 ms.

local ffi = require "ffi"
local semaphore = require "ngx.semaphore"

ffi.cdef [[
const void *EVP_sha256(void);
unsigned char *HMAC(const void *evp_md, const void *key, int key_len, const unsigned char *d, size_t n,
                    unsigned char *md, unsigned int *md_len);
int CRYPTO_memcmp(const void *a, const void *b, size_t len);
]]

local M = {}

local CONTEXT = "logcast-link.1\n"
local LEEWAY_S = 10
local MAX_TOKEN = 200
local KEYS_EVERY_S = 2
local FLIGHT_S = 65 -- longer than proxy_read_timeout
local LOOK_EVERY_S = 0.01
local MARK_S = 3600
local UNKEPT_S = 10 -- so long everybody asks for themselves what a gateway did not let us keep

local fresh = ngx.shared.logcast_fresh
local flights = ngx.shared.logcast_flights
local private = ngx.shared.logcast_private
local counts = ngx.shared.logcast_counts

local keys = {}   -- id → secret
local waiting = {} -- key of what is fetched → its flight, in this worker
local digest = ffi.new("unsigned char[64]")
local digest_size = ffi.new("unsigned int[1]")

-- Keys

local function parse_keys(text)
    local found, count = {}, 0
    for line in text:gmatch("[^\r\n]+") do
        local bare = line:gsub("#.*", ""):match("^%s*(.-)%s*$")
        if bare ~= "" then
            local id, secret = bare:match("^([a-z0-9]+)%s+([A-Za-z0-9_-]+)$")
            if not id or #id > 16 or #secret < 32 or found[id] then
                return nil, "expected `ID SECRET` a line"
            end
            found[id] = secret
            count = count + 1
        end
    end
    return found, count
end

function M.load_keys(path)
    local file, err = io.open(path, "r")
    local text = file and file:read("*a")
    if file then file:close() end
    local found, why = nil, err
    if text then found, why = parse_keys(text) end
    if not found then
        ngx.log(ngx.ERR, "link keys in ", path, " stay as they were: ", why)
        return
    end
    keys = found
end

function M.watch_keys(path)
    local function look(premature)
        if not premature then M.load_keys(path) end
    end
    assert(ngx.timer.every(KEYS_EVERY_S, look))
end

-- Links

local function signature(signed, secret)
    local text = CONTEXT .. signed
    ffi.C.HMAC(ffi.C.EVP_sha256(), secret, #secret, text, #text, digest, digest_size)
    return (ngx.encode_base64(ffi.string(digest, digest_size[0]), true):gsub("+", "-"):gsub("/", "_"))
end

--- The scope (`v` and a video, `c` and a channel) and tag of a token; nil and the reason when it opens nothing.
local function link_of(token)
    if #token > MAX_TOKEN then return nil, "bad_link" end
    local signed, id, expires, scope, tag, given =
        token:match("^(([a-z0-9]+)%.(%d+)%.([vc][a-z0-9_-]+)%.([A-Za-z0-9_-]+))%.([A-Za-z0-9_-]+)$")
    local secret = id and keys[id]
    if not secret or #given ~= 43 or #expires > 12 then return nil, "bad_link" end
    if ffi.C.CRYPTO_memcmp(given, signature(signed, secret), 43) ~= 0 then return nil, "bad_link" end
    if ngx.time() > tonumber(expires) + LEEWAY_S then return nil, "link_expired" end
    return scope, tag
end

local DETAILS = {
    bad_link = "this link was not signed by us, or its key is no longer used: ask for a new one",
    link_expired = "this link has ended: ask for a new one",
    private = "this link does not open this video: ask for another one",
    bad_path = "expected a path without escapes",
    away = "no gateway answers now; ask again in a moment",
}

local function refuse(status, reason)
    ngx.status = status
    ngx.header["Content-Type"] = "application/problem+json"
    ngx.header["Cache-Control"] = "no-store"
    ngx.header["Access-Control-Allow-Origin"] = "*"
    if status == 503 then ngx.header["Retry-After"] = "1" end
    local title = status == 403 and "Forbidden" or status == 400 and "Bad Request" or "Service Unavailable"
    ngx.print('{"type":"about:blank","title":"', title, '","status":', status, ',"detail":"', DETAILS[reason],
        '","reason":"', reason, '"}')
    return ngx.exit(ngx.HTTP_OK) -- the body is said; the status stands
end

-- One request for many

local function lifetime(res)
    local seconds = tonumber(res.header["X-Logcast-Keep"])
    return res.status == 200 and not res.truncated and seconds and seconds > 0 and seconds or nil
end

--- Fetch what `key` names into the cache. Gives "kept", "passed" (not to be cached) or the answer to give to all.
local function fetch(key)
    local var = ngx.var
    local res = ngx.location.capture("/_fetch", {
        args = var.args,
        vars = {
            logcast_class = var.logcast_class, logcast_path = var.logcast_path, logcast_asks = var.logcast_asks,
            logcast_hints = var.logcast_hints,
        },
    })
    local seconds = lifetime(res)
    if seconds then
        fresh:set(key, true, seconds)
        return "kept"
    end
    if res.status == 200 then
        fresh:set(key, false, UNKEPT_S)
        return "passed"
    end
    return res
end

--- What is known without asking: "kept", "passed", or nil.
local function known_of(key)
    local known = fresh:get(key)
    if known == nil then return nil end
    return known and "kept" or "passed"
end

--- The same among workers: one of them fetches, the others look whether it has.
local function fetch_once(key)
    local deadline = ngx.now() + FLIGHT_S
    while not flights:add(key, true, FLIGHT_S) do
        if ngx.now() > deadline then return "passed" end
        ngx.sleep(LOOK_EVERY_S)
        local known = known_of(key)
        if known then return known end
    end
    local known = known_of(key)
    if known then -- it came between the look and the lock
        flights:delete(key)
        return known
    end
    local ok, result = pcall(fetch, key)
    flights:delete(key)
    if not ok then
        ngx.log(ngx.ERR, "fetching failed: ", result)
        return "passed"
    end
    return result
end

local function collapsed(key)
    local known = known_of(key)
    if known then return known end
    local flight = waiting[key]
    if flight then
        flight.waiters = flight.waiters + 1
        local ok = flight.done:wait(FLIGHT_S)
        local result = ok and flight.result or "passed"
        -- A gateway did not take another one's link: that says nothing about ours.
        return type(result) == "table" and result.status == 403 and "passed" or result
    end
    flight = { done = semaphore.new(0), waiters = 0 }
    waiting[key] = flight
    flight.result = fetch_once(key)
    waiting[key] = nil
    if flight.waiters > 0 then flight.done:post(flight.waiters) end
    return flight.result
end

local PASSED_ON = {
    ["content-type"] = true, ["cache-control"] = true, ["retry-after"] = true, ["location"] = true,
    ["access-control-allow-origin"] = true, ["access-control-expose-headers"] = true,
}

local function give(res)
    if res.status >= 502 then return refuse(503, "away") end
    ngx.status = res.status
    for name, value in pairs(res.header) do
        if PASSED_ON[name:lower()] then ngx.header[name] = value end
    end
    ngx.print(res.body)
    return ngx.exit(ngx.HTTP_OK)
end

--- Which cache a request may use: "open", "signed", or "pass" for none. The path without the signature goes to the key.
local function class_of(path)
    local token, rest = path:match("^/s/([^/]+)(/.*)$")
    if not token then
        local video = path:match("^/v1/videos/([^/]+)/")
        return video and private:get(video) and "pass" or "open", path
    end
    local scope, tag = link_of(token)
    if not scope then return nil, tag end
    ngx.var.logcast_tag = tag
    local video = rest:match("^/v1/videos/([^/]+)/")
    if scope:sub(1, 1) == "c" then return "pass", rest end
    if video ~= scope:sub(2) then return nil, "private" end
    return "signed", rest
end

--- Access phase of everything that is media.
function M.media()
    local path = ngx.var.uri
    if ngx.var.request_uri:match("^[^?]*") ~= path then return refuse(400, "bad_path") end
    local class, rest = class_of(path)
    if not class then return refuse(403, rest) end
    ngx.var.logcast_path = rest
    local method = ngx.req.get_method()
    if class == "pass" or ngx.var.http_authorization or (method ~= "GET" and method ~= "HEAD") then return end
    ngx.var.logcast_class = class
    local key = class .. rest .. "?" .. (ngx.var.args or "") .. "#" .. ngx.var.logcast_asks .. "#" .. ngx.var.logcast_hints
    local result = collapsed(key)
    if result == "passed" then
        ngx.var.logcast_class = "pass"
    elseif result ~= "kept" then
        return give(result)
    end
end

-- Answers of gateways

local function video_of_request()
    return ngx.var.logcast_path:match("^/v1/videos/([^/]+)/")
end

--- Remember which videos are private: what was kept while they were public is not shown any more, gateway or none.
function M.note_visibility()
    local video = video_of_request()
    if not video or ngx.var.uri:sub(1, 3) == "/s/" or ngx.var.http_authorization then return end
    if ngx.var.upstream_http_x_logcast_visibility == "private" then
        private:set(video, true, MARK_S)
    elseif ngx.status == 200 and private:get(video) then
        private:delete(video)
    end
end

--- The lifetime of what was fetched, for `fetch`; and the same note as above.
function M.note_lifetime()
    local seconds = tonumber(ngx.var.upstream_http_x_accel_expires)
    local status = ngx.var.upstream_cache_status
    if status == "HIT" or status == "STALE" or status == "UPDATING" then seconds = seconds and 1 end
    if ngx.var.logcast_unkept == "1" then seconds = nil end
    ngx.header["X-Logcast-Keep"] = seconds
    local video = video_of_request()
    if video and ngx.var.logcast_class == "open" and ngx.var.upstream_http_x_logcast_visibility == "private" then
        private:set(video, true, MARK_S)
    end
end

--- Count an answer by where it came from (`X-Logcast-Edge`) and its status, when it has been sent.
function M.count()
    local from = ngx.var.sent_http_x_logcast_edge or "NONE"
    counts:incr(('requests_total{cache="%s",status="%d"}'):format(from, ngx.status), 1, 0)
    counts:incr("sent_bytes_total", tonumber(ngx.var.bytes_sent) or 0, 0)
end

--- What was counted, for Prometheus.
function M.metrics()
    ngx.header["Content-Type"] = "text/plain; version=0.0.4"
    for _, state in ipairs({ "active", "reading", "writing", "waiting" }) do
        ngx.say(('logcast_edge_connections{state="%s"} %s'):format(state, ngx.var["connections_" .. state]))
    end
    for _, name in ipairs(counts:get_keys(1000)) do
        ngx.say(("logcast_edge_%s %d"):format(name, counts:get(name)))
    end
end

--- No gateway answers, and nothing is in the cache.
function M.away()
    return refuse(503, "away")
end

return M
