// /status: valid JSON that says what the snapshot says.

import Foundation
import Gateway
import HTTP1
import Testing

@testable import Telemetry

@Suite struct ObservabilityStatusTests {
    private func status(_ snapshot: GatewaySnapshot) throws -> [String: Any] {
        try jsonObject(rendered { StatusRenderer.render(snapshot, into: &$0) })
    }

    @Test func theWholeObject() throws {
        var snapshot = sampleSnapshot()
        snapshot.splits = [
            SplitSnapshot(
                path: "/v1/*", stickiness: "tenant", spills: true,
                parts: [("chat", 0.95), ("canary", 0.05)])
        ]
        var override = OverrideSnapshot(
            verb: .limit, value: "64", replaced: "knee", user: 1_000, process: 77)
        override.pool = "chat"
        override.ageNanoseconds = 2_000_000_000
        override.leftNanoseconds = 1_798_000_000_000
        snapshot.overrides = [override]
        snapshot.bulk = [sampleBulk()]
        snapshot.mirrors = [MirrorSnapshot(path: "/v2/*", pool: "next", share: 0.01)]
        let text = rendered { StatusRenderer.render(snapshot, into: &$0) }
        let expected =
            #"{"version":"1.2.3","state":"ready","time":"2023-11-14T22:15:23.456Z","#
            + #""uptime_seconds":123,"policy":{"loaded":"2023-11-14T22:15:00.500Z","#
            + #""last_reload_successful":false,"error":"policy.yaml:1:1: error","#
            + #""file":"policy.yaml","sha256":"","included":["chat.yaml"],"included_files":1},"client_connections":{"open":3,"max":100},"#
            + #""certificates":[{"listener":"0.0.0.0:8443","name":"a.example","ends":"2023-11-14T22:13:20.000Z"},"#
            + #"{"listener":"[::]:8443","name":"b\"","ends":null}],"#
            + #""pools":[{"name":"chat","usable":true,"mode":"observe","condition":"shedding","#
            + #""sentence":"chat would shed 20 %: 11 of 24 in flight, the queue is full with 256; 55 % is tenant acme","#
            + #""recent":{"seconds":9.0,"asked":80,"refused":16,"failed":2},"limit":24,"in_flight":11,"#
            + #""wanted":1.75,"#
            + #""queue":{"requests":5,"max_requests":256,"bytes":6000,"max_bytes":1048576,"#
            + #""oldest_wait_seconds":0.0015,"max_wait_seconds":2.5,"drain_rate":12.5},"#
            + #""classes":[{"name":"default","in_flight":11,"queued":5}],"#
            + #""tenants":[{"name":"acme","in_flight":7,"queued":4,"share":12,"#
            + #""asked":44,"refused":10}],"#
            + #""discovery":{"source":"file","backends":1,"unready":1,"good_timestamp_seconds":1700000100.5,"#
            + #""errors":2,"changes":3},"#
            + #""affinity":{"tokens":{"prompt":1000,"predicted":750,"answered":500,"reported":300},"#
            + #""starts":{"home":40,"other":3,"new":7,"forced":2},"#
            + #""passes":{"requests":40,"sum":25,"most":11},"#
            + #""index":{"entries":1234,"capacity":65536}},"#
            + #""backends":[{"url":"http://10.0.0.11:8000","usable":true,"on_trial":false,"#
            + #""weight":3,"limit":24,"#
            + #""in_flight":11,"connections":{"open":13,"idle":2},"#
            + #""signals":[{"source":"field","state":"limited","share":1.0,"limit":30,"#
            + #""age_seconds":0.5,"ends_in_seconds":9.5}],"#
            + #""report":{"queued":3.0,"cache_use":0.97,"age_seconds":0.25,"cap":9,"#
            + #""holds_growth":true,"believed":true},"cache_tokens":900000,"#
            + #""suspicion":null,"ejected_for_seconds":null,"limit_held_by":"objective","#
            + #""last_move":{"from":20.0,"to":24.0,"reason":"growth","age_seconds":3.5},"#
            + #""recent":{"requests":190,"errors":5,"first_byte_p50_seconds":0.015,"#
            + #""first_byte_p95_seconds":0.0195}}]}],"#
            + #""splits":[{"path":"/v1/*","sticky":"tenant","spill":true,"#
            + #""pools":[{"pool":"chat","share":0.95},{"pool":"canary","share":0.05}]}],"#
            + #""mirrors":[{"path":"/v2/*","pool":"next","share":0.01}],"#
            + #""bulk":[{"client":"192.0.2.7","request_id":"a1","since":"2023-11-14T22:13:03.456Z","#
            + #""lines":{"read":40,"completed":30,"failed":2}}],"#
            + #""topics":[{"name":"questions","up":true,"paused":false,"partitions":2,"lag":8,"open":2,"read":9,"#
            + #""completed":4,"failed":1,"dead":2,"late":0,"errors":5,"stuck":"","error":"a broker is \"away\""}],"#
            + #""overrides":[{"verb":"limit","pool":"chat","value":"64","replaced":"knee","#
            + #""age_seconds":2.0,"ends_in_seconds":1798.0,"uid":1000,"pid":77}]}"#
        #expect(text == expected + "\n")
        #expect(try status(sampleSnapshot())["version"] as? String == "1.2.3")
    }

    @Test func theStateFollowsDrainAndBackends() throws {
        var snapshot = sampleSnapshot()
        snapshot.pools[0].backends[0].isUsable = false
        #expect(try status(snapshot)["state"] as? String == "unavailable")
        #expect(!snapshot.isReady)
        snapshot.pools[0].backends[0].isUsable = true
        #expect(snapshot.isReady)
        snapshot.isDraining = true
        #expect(!snapshot.isReady)
        #expect(try status(snapshot)["state"] as? String == "draining")
    }

    @Test func withoutAffinityNothingIsSaidOfIt() throws {
        var snapshot = sampleSnapshot()
        snapshot.pools[0].affinity = nil
        snapshot.pools[0].backends[0].cacheTokens = nil
        let pools = try #require(try status(snapshot)["pools"] as? [[String: Any]])
        let backends = try #require(pools[0]["backends"] as? [[String: Any]])
        #expect(pools[0]["affinity"] == nil && pools[0]["discovery"] != nil)
        #expect(backends[0]["cache_tokens"] == nil && backends[0]["report"] != nil)
    }

    @Test func strangeTextAndNumbersStayValid() throws {
        let pool = PoolMetrics(name: "p", backends: ["http://\"\\\u{1}\u{7f}é\n"])
        var snapshot = PoolSnapshot(
            metrics: pool, backends: [BackendSnapshot(metrics: pool.backends[0])])
        snapshot.drainRatePerSecond = .infinity
        let gateway = GatewayMetrics(version: "v\t", startNanoseconds: 10)
        let object = try status(
            GatewaySnapshot(metrics: gateway, wallNanoseconds: 0, pools: [snapshot]))
        #expect(object["version"] as? String == "v\t")
        #expect(object["uptime_seconds"] as? Int == 0)
        let pools = try #require(object["pools"] as? [[String: Any]])
        let backends = try #require(pools[0]["backends"] as? [[String: Any]])
        #expect(backends[0]["url"] as? String == "http://\"\\\u{1}\u{7f}é\n")
    }
}
