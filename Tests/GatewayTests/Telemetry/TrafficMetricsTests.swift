// What is counted by model, class and tenant, and the bounds of that.

import Admission
import Foundation
import Inference
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct TrafficMetricsTests {
    private func world(_ pool: String) throws -> World {
        try World(
            text: """
                listen: 127.0.0.1:0
                admin: off
                log: {access: off}
                pools:
                  main:
                    backends: ["\(World.backendURL)"]
                    priority: {header: x-class, classes: [high, low], default: low}
                    tenant: {header: x-tenant, named: [{name: acme}, {name: globex}]}
                    \(pool)
                routes:
                  - {path: /*, pool: main, models: ["*"]}

                """)
    }

    private func post(_ model: String, _ fields: String) -> String {
        let body = "{\"model\":\"\(model)\"}"
        return "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n\(fields)"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// The rows, each in one line without what is 0.
    private func rows(_ world: World) -> [String] {
        world.metric { metrics in
            metrics.allStreams.flatMap(\.traffic).map { row in
                var facts = [row.labels]
                if row.responses > 0 { facts.append("answers \(row.responses)") }
                if row.responsesInTime > 0 { facts.append("in time \(row.responsesInTime)") }
                if row.inputTokens > 0 { facts.append("tokens \(row.inputTokens)") }
                for reason in Reason.allCases where row.shedCount(reason) > 0 {
                    facts.append("\(reason.name) \(row.shedCount(reason))")
                }
                return facts.joined(separator: ", ")
            }.sorted()
        }
    }

    @Test func responsesAreCountedByModelClassAndTenant() throws {
        let world = try world("limit: 10")
        world.serve { backend, request in
            let delay = request.bodyText.contains("late") ? 400 : 0
            backend.world.later(milliseconds: delay) {
                try backend.answer(
                    "{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}",
                    fields: "Content-Type: application/json\r\n")
            }
        }
        let client = world.connect()
        for (model, fields) in [
            ("a", "x-tenant: acme\r\nx-class: high\r\n"), ("a", "x-tenant: acme\r\n"),
            ("a", "x-tenant: acme\r\n"), ("b", "x-tenant: nobody\r\n"),
        ] {
            try client.send(post(model, fields))
            #expect(try client.readResponse().status == 200)
        }
        #expect(
            rows(world) == [
                "model=\"a\",class=\"high\",tenant=\"acme\", answers 1, in time 1, tokens 5",
                "model=\"a\",class=\"low\",tenant=\"acme\", answers 2, in time 2, tokens 10",
                "model=\"b\",class=\"low\",tenant=\"\", answers 1, in time 1, tokens 5",
            ])
        try client.send(post("late", ""))
        _ = try client.readResponse()
        let cost = world.metric { metrics in
            metrics.models.last?.streams[0].traffic[0].costNanoseconds ?? 0
        }
        #expect(cost == 400_000_000)
    }

    /// An answer that began in time and ended late is no goodput.
    @Test func whatEndsLateIsNotInTime() throws {
        let world = try world("limit: 10")
        world.serve { backend, _ in
            try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            backend.world.later(milliseconds: 500) { try backend.send("{}") }
        }
        let client = world.connect()
        try client.send(post("m", "x-request-timeout: 0.25\r\n"))
        #expect(try client.readResponse().bodyText == "{}")
        try client.send(post("m", "x-request-timeout: 30\r\n"))
        _ = try client.readResponse()
        #expect(rows(world) == ["model=\"m\",class=\"low\",tenant=\"\", answers 2, in time 1"])
    }

    @Test func refusalsAreCountedByReason() throws {
        let world = try world("limit: 1\n    queue: {max_requests: 0}")
        let holder = world.connect()
        try holder.send(post("a", ""))
        let backend = try world.accept()
        let client = world.connect()
        try client.send(post("a", "x-tenant: globex\r\n"))
        #expect(try client.readResponse().status == 503)
        try backend.answer()
        _ = try holder.readResponse()
        #expect(
            rows(world) == [
                "model=\"a\",class=\"low\",tenant=\"\", answers 1, in time 1",
                "model=\"a\",class=\"low\",tenant=\"globex\", queue_full 1",
            ])
    }

    /// Names that no backend knows give way to one that a backend has answered for.
    @Test func inventedNamesDoNotUseTheRowsUp() throws {
        let world = try world("limit: 10")
        world.serve { backend, request in
            let status = request.bodyText.contains("real") ? 200 : 404
            try backend.answer(
                "{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}", status: status,
                fields: "Content-Type: application/json\r\n")
        }
        let client = world.connect()
        for number in 0..<70 {
            try client.send(post("invented-\(number)", ""))
            #expect(try client.readResponse().status == 404)
        }
        for _ in 0..<3 {
            try client.send(post("real", ""))
            #expect(try client.readResponse().status == 200)
        }
        let real = "model=\"real\",class=\"low\",tenant=\"\", answers 3, in time 3"
        #expect(rows(world).contains { $0.hasPrefix(real) })
        #expect(world.pool.metrics.models.count == PoolMetrics.mostModels + 1)
        // Nor can those that come later, when the real ones were there first.
        for number in 0..<200 {
            try client.send(post("later-\(number)", ""))
            _ = try client.readResponse()
        }
        #expect(rows(world).contains { $0.hasPrefix(real) })
    }

    /// What a row had counted that gives way is counted as of the others.
    @Test func nothingIsLostWithARow() {
        let metrics = PoolMetrics(name: "p", backends: ["b"])
        for number in 0..<PoolMetrics.mostModels {
            let model = metrics.model([UInt8(number)])
            metrics.traffic(model, metrics.classes[0], tenant: -1).countResponse(isInTime: true)
        }
        let own = metrics.answered(metrics.model(Array("real".utf8)), Array("real".utf8))
        #expect(own.name == Array("real".utf8) && own.hasAnswered)
        // The one that gave way is counted with the others, which have a row now.
        #expect(metrics.trafficCount == PoolMetrics.mostModels)
        let responses = metrics.allStreams.flatMap(\.traffic).reduce(0) { $0 + $1.responses }
        #expect(responses == UInt64(PoolMetrics.mostModels))
        // Rows that were answered do not give way.
        for model in metrics.models { model.hasAnswered = true }
        let late = metrics.answered(metrics.model(Array("late".utf8)), Array("late".utf8))
        #expect(late.name == Array("other".utf8))
    }

    /// However many models, classes and tenants there are, the rows are bounded and nothing is lost.
    @Test func rowsAreBounded() {
        let classes = (0..<20).map { "class-\($0)" }
        let metrics = PoolMetrics(name: "p", backends: ["b"], classes: classes)
        let usage = TokenUsage(input: 1)
        var counted: UInt64 = 0
        for number in 0..<4_000 {
            let model = metrics.model(Array("model-\(number % 70)".utf8))
            let tenant = metrics.tenantSlot("tenant-\(number % 130)")
            metrics.traffic(model, metrics.classes[number % 20], tenant: tenant)
                .countTokens(usage)
            counted += 1
        }
        let rows = metrics.allStreams.flatMap(\.traffic)
        #expect(metrics.models.count == PoolMetrics.mostModels + 1)
        #expect(metrics.tenantNames.count == PoolSnapshot.mostTenants)
        #expect(rows.count > PoolMetrics.mostTraffic / 2)
        #expect(rows.count <= PoolMetrics.mostTraffic + classes.count)
        #expect(Set(rows.map(\.labels)).count == rows.count)
        #expect(rows.reduce(0) { $0 + $1.inputTokens } == counted)
        // Several reactors' rows add up to the same.
        let reports = [metrics, metrics].map { $0.report { _ in (0, 0) } }
        let sum = PoolMetrics(
            name: metrics.name, backends: [], classes: metrics.classes.map(\.name),
            adding: reports)
        #expect(sum.allStreams.flatMap(\.traffic).reduce(0) { $0 + $1.inputTokens } == 2 * counted)
    }
}
