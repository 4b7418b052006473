// Requests find their pool by the model that they name.

import Bytes
import Foundation
import HTTP1
import Testing

@testable import Gateway
@testable import Telemetry
@testable import TestSupport

@Suite struct ModelRoutingTests {
    /// A gateway with a pool for each of two backends, which say their name and what they got.
    private struct Stand {
        let llama: ScriptedBackend
        let other: ScriptedBackend
        let gateway: RunningGateway

        init(_ more: String = "", further: String = "") throws {
            llama = try Stand.backend("llama")
            other = try Stand.backend("other")
            gateway = try RunningGateway(
                """
                listen: 127.0.0.1:0
                admin: off
                log: {access: off}
                pools:
                  llama: {backends: ["\(llama.url)"], limit: 10}
                  other: {backends: ["\(other.url)"], limit: 10}
                routes:
                  - {path: /v1/*, pool: llama, models: [llama, org/llama-8b]}
                  - {path: /v2/*, pool: llama, models: [llama, org/llama-8b]}
                  - {path: /v1/*, pool: other, models: ["qwen*"]}
                  - {path: /plain, pool: other}
                  \(further)
                models:
                  aliases: {gpt-4o: org/llama-8b, "quoted\\"": qwen-x}
                  max_held: 64KiB
                  refresh: off
                \(more)

                """)
        }

        private static func backend(_ name: String) throws -> ScriptedBackend {
            try ScriptedBackend.serving { wire, request in
                try wire.answer(
                    request.bodyText, fields: "X-Name: \(name)\r\nX-Line: \(request.startLine)\r\n")
            }
        }

        /// Sends a body, in pieces where told so, and reads the answer.
        func post(
            _ path: String, _ body: [UInt8], type: String = "application/json",
            fields: String = "", isChunked: Bool = false, piece: Int = .max
        ) throws -> Message {
            let client = try gateway.connect()
            let framing =
                isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.count)"
            try client.send(
                "POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Type: \(type)\r\n\(fields)\(framing)\r\n\r\n"
            )
            var rest = body[...]
            while !rest.isEmpty {
                let next = Array(rest.prefix(piece))
                rest = rest.dropFirst(next.count)
                if isChunked { try client.send("\(String(next.count, radix: 16))\r\n") }
                try client.send(next)
                if isChunked { try client.send("\r\n") }
            }
            if isChunked { try client.send("0\r\n\r\n") }
            return try client.readResponse()
        }

        /// Bytes of bodies that the gateway holds.
        func held() throws -> Int { try gateway.askAll { $0.bodyMemory.heldBytes }.reduce(0, +) }

        func post(_ path: String, _ body: String) throws -> Message {
            try post(path, Array(body.utf8))
        }
    }

    /// What fits exactly is held; what one body may not have is told apart from what all together may not.
    @Test(arguments: [false, true])
    func whatFitsExactlyIsHeld(isChunked: Bool) throws {
        let backend = try ScriptedBackend.echoing()
        func post(_ held: String, _ count: Int) throws -> Int {
            let gateway = try RunningGateway(
                """
                version: 1
                listen: 127.0.0.1:0
                admin: off
                log: {access: off}
                models: {\(held)}
                pools:
                  main: {backends: ["\(backend.url)"]}
                routes:
                  - {path: /*, pool: main, models: [m]}
                """, threads: 1)
            let start = "{\"x\":\""
            let end = "\",\"model\":\"m\"}"
            let fill = String(repeating: "x", count: count - start.utf8.count - end.utf8.count)
            let body = start + fill + end
            let size = String(body.utf8.count, radix: 16)
            let sent = isChunked ? "\(size)\r\n\(body)\r\n0\r\n\r\n" : body
            let framing =
                isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.utf8.count)"
            let request = "POST /x HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\n\(sent)"
            let client = try gateway.connect()
            try client.send(request)
            let status = try client.readResponse().status
            client.close()
            try gateway.settles(clients: 0)
            #expect(try gateway.ask { $0.bodyMemory.heldBytes } == 0)
            return status
        }
        let mebibyte = 1 << 20
        #expect(try post("max_held: 1MiB, max_held_total: 1MiB", mebibyte) == 200)
        #expect(try post("max_held: 1MiB, max_held_total: 1MiB", mebibyte + 1) == 413)
        #expect(try post("max_held: 2MiB, max_held_total: 1MiB", mebibyte + 1) == 503)
        #expect(try post("max_held: 1000000B, max_held_total: 1MiB", mebibyte) == 413)
    }

    @Test func theModelDecidesWhereverItStands() throws {
        let stand = try Stand()
        let long = String(repeating: "x", count: 5_000)
        for (body, name) in [
            ("{\"model\":\"llama\",\"messages\":[{\"content\":\"\(long)\"}]}", "llama"),
            ("{\"messages\":[{\"content\":\"\(long)\"}],\"model\":\"qwen2.5\",\"n\":1}", "other"),
            ("{\"messages\":[{\"model\":\"llama\"}],\"mod\\u0065l\":\"qwen\"}", "other"),
        ] {
            for (isChunked, piece) in [
                (false, Int.max), (true, Int.max), (false, 777), (true, 777),
            ] {
                let answer = try stand.post(
                    "/v1/chat/completions", Array(body.utf8), isChunked: isChunked, piece: piece)
                #expect(answer.status == 200)
                #expect(answer.value("X-Name") == name)
                #expect(answer.bodyText == body)
            }
        }
        #expect(try stand.post("/plain", "no JSON").value("X-Name") == "other")
        try stand.gateway.settles()
        #expect(try stand.held() == 0)
    }

    @Test(arguments: [
        ("{\"model\":\"unknown\"}", 404, "model_unknown"), ("{\"n\":1}", 400, "model_missing"),
        ("{\"model\":\"llama\",\"model\":\"qwen\"}", 400, "body_invalid"),
        ("{\"model\":\"llama\",}", 400, "body_invalid"), ("[]", 400, "body_invalid"),
        ("model=llama", 400, "body_invalid"), ("{\"model\":7}", 400, "body_invalid"),
        ("{\"model\":\"llama\"", 400, "body_invalid"),
    ])
    func whatCannotBeRoutedIsRefused(_ body: String, _ status: Int, _ reason: String) throws {
        let stand = try Stand()
        let answer = try stand.post("/v1/chat/completions", body)
        #expect(answer.status == status)
        #expect(answer.value("X-Penstock-Reason") == reason)
        let error = try #require(try jsonObject(answer.bodyText)["error"] as? [String: Any])
        #expect(error["type"] as? String == "invalid_request_error")
        #expect(error["code"] as? String == (status == 404 ? "model_not_found" : reason))
        #expect(stand.llama.acceptedCount + stand.other.acceptedCount == 0)
        #expect(try stand.held() == 0)
    }

    /// The first model is known and its request forwarded when the second one comes.
    @Test func aSecondModelAfterALongPromptEndsTheRequest() throws {
        let stand = try Stand()
        let client = try stand.gateway.connect()
        let long = String(repeating: "x", count: 300_000)
        let body = "{\"model\":\"llama\",\"prompt\":\"\(long)\",\"model\":\"qwen\"}"
        try client.send(
            "POST /v1/completions HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        )
        try client.send(body)
        let answer = try client.readResponse()
        #expect(answer.status == 400)
        #expect(answer.value("X-Penstock-Reason") == "body_invalid")
        #expect(stand.llama.requests.isEmpty, "the backend never has the whole request")
        try stand.gateway.settles(idle: 0)
    }

    @Test func aliasesAreForwardedAsTheirModel() throws {
        let stand = try Stand()
        let tail = String(repeating: "y", count: 30_000)
        let body = "{\"messages\":[],\"model\":\"gpt-4o\",\"user\":\"\(tail)\"}"
        let wanted = "{\"messages\":[],\"model\":\"org/llama-8b\",\"user\":\"\(tail)\"}"
        for isChunked in [false, true] {
            for piece in [Int.max, 1_000] {
                let answer = try stand.post(
                    "/v1/chat/completions", Array(body.utf8), isChunked: isChunked, piece: piece)
                #expect(answer.value("X-Name") == "llama")
                #expect(answer.bodyText == wanted)
            }
        }
        let path = try stand.post("/v2/models/gpt-4o/infer?a=b", "no JSON needed")
        #expect(path.value("X-Line") == "POST /v2/models/org%2Fllama-8b/infer?a=b HTTP/1.1")
        let known = try stand.post("/v2/models/org%2Fllama-8b/infer", "{}")
        #expect(known.value("X-Line") == "POST /v2/models/org%2Fllama-8b/infer HTTP/1.1")
        let unknown = try stand.post("/v2/models/x/infer", "{}")
        #expect(unknown.status == 404)
        #expect(try jsonObject(unknown.bodyText)["error"] is String)
    }

    /// Servers decode the path before they look for who answers, whatever the body says.
    @Test(arguments: ["/v2/mod%65ls/", "/%762/models/", "//v2/models/", "/v2%2Fmodels/"])
    func aPathNamesItsModelHoweverItIsWritten(_ prefix: String) throws {
        let stand = try Stand(further: "- {path: /*, pool: llama, models: [llama, org/llama-8b]}")
        let forbidden = try stand.post(
            "\(prefix)forbidden/infer", Array(#"{"model":"llama"}"#.utf8))
        #expect(forbidden.status == (prefix.contains("%2F") ? 400 : 404))
        #expect(stand.llama.requests.isEmpty)
        guard !prefix.contains("%2F") else { return }
        let allowed = try stand.post("\(prefix)gpt-4o/infer", Array(#"{"model":"no"}"#.utf8))
        #expect(allowed.value("X-Line") == "POST \(prefix)org%2Fllama-8b/infer HTTP/1.1")
    }

    /// JSON between programs is UTF-8; Python's reader takes these too.
    @Test func aModelInUTF16IsNotRead() throws {
        let stand = try Stand()
        for encoding in [
            String.Encoding.utf16, .utf16LittleEndian, .utf16BigEndian, .utf32,
            .utf32LittleEndian, .utf32BigEndian,
        ] {
            let body = try #require(#"{"model":"llama"}"#.data(using: encoding))
            let answer = try stand.post("/v1/chat/completions", Array(body))
            #expect(answer.status == 400, "\(encoding)")
        }
        #expect(stand.llama.requests.isEmpty && stand.other.requests.isEmpty)
    }

    @Test func formsNameTheirModelInAField() throws {
        let stand = try Stand()
        let form =
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n"
            + "RIFF\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nMODEL\r\n--b--\r\n"
        for (model, sent) in [("gpt-4o", "org/llama-8b"), ("qwen-audio", "qwen-audio")] {
            let body = form.replacing("MODEL", with: model)
            let answer = try stand.post(
                "/v1/audio/transcriptions", Array(body.utf8),
                type: "multipart/form-data; boundary=b")
            #expect(answer.value("X-Name") == (model == "gpt-4o" ? "llama" : "other"))
            #expect(answer.bodyText == form.replacing("MODEL", with: sent))
        }
        let none = try stand.post("/v1/audio/transcriptions", [], type: "multipart/form-data")
        #expect(none.status == 404)
    }

    @Test func compressedBodiesAreReadAndForwardedAsTheyCame() throws {
        let stand = try Stand()
        let field = "Content-Encoding: gzip\r\n"
        let body = try gzipped(
            "{\"prompt\":\"\(String(repeating: "ab", count: 9_000))\",\"model\":\"qwen\"}")
        let answer = try stand.post("/v1/completions", body, fields: field, piece: 50)
        #expect(answer.value("X-Name") == "other")
        #expect(stand.other.requests.last?.body == body)
        // A name in it cannot be replaced.
        let alias = try stand.post(
            "/v1/completions", try gzipped("{\"model\":\"gpt-4o\"}"), fields: field)
        #expect(alias.status == 415)
        let broken = try stand.post("/v1/completions", Array("plain".utf8), fields: field)
        #expect(broken.value("X-Penstock-Reason") == "body_invalid")
        let cut = try stand.post("/v1/completions", Array(body.dropLast(9)), fields: field)
        #expect(cut.value("X-Penstock-Reason") == "body_invalid")
        let bomb = try gzipped(
            "{\"a\":\"\(String(repeating: "a", count: 20 << 20))\",\"model\":\"qwen\"}")
        let refused = try stand.post("/v1/completions", bomb, fields: field)
        #expect(refused.status == 413)
        let brotli = try stand.post(
            "/v1/completions", body, fields: "Content-Encoding: br\r\n")
        #expect(brotli.status == 415)
        #expect(brotli.value("X-Penstock-Reason") == "body_encoding")
    }

    /// Several members are one body, and the coding may be said in other ways (RFC 1952 section 2.2,
    /// RFC 9110 section 8.4).
    @Test(arguments: [
        "Content-Encoding: gzip\r\n", "Content-Encoding: x-gzip\r\n",
        "content-encoding: X-GZIP\r\n", "Content-Encoding: identity, gzip\r\n",
        "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n",
        "Content-Encoding: , gzip ,\r\n",
    ])
    func bodiesOfSeveralMembersAreRead(field: String) throws {
        let stand = try Stand()
        let prompt = String(repeating: "ab", count: 9_000)
        let body =
            try gzipped("{\"prompt\":\"\(prompt)\",\"mod") + gzipped("") + gzipped("el\":\"qwen\"")
            + gzipped("}")
        for piece in [1, 7, 50, Int.max] {
            let answer = try stand.post("/v1/completions", body, fields: field, piece: piece)
            #expect(answer.value("X-Name") == "other", "\(piece)")
            #expect(stand.other.requests.last?.body == body)
        }
        // What stands behind is a member, or the body is broken.
        for rest in [[0x1f], [0x1f, 0x8b, 8], [0, 0], Array("plain".utf8)] as [[UInt8]] {
            let broken = try stand.post("/v1/completions", body + rest, fields: field)
            #expect(broken.status == 400)
            #expect(broken.value("X-Penstock-Reason") == "body_invalid")
        }
        // A second text is no part of the first.
        let two = try stand.post(
            "/v1/completions", body + gzipped("{\"model\":\"llama\"}"), fields: field)
        #expect(two.status == 400)
    }

    @Test(arguments: [
        "Content-Encoding: br\r\n", "Content-Encoding: deflate\r\n", "Content-Encoding: zstd\r\n",
        "Content-Encoding: gzip, gzip\r\n", "Content-Encoding: gzip, br\r\n",
        "Content-Encoding: identity\r\nContent-Encoding: br\r\n",
        "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", "Content-Encoding: gzip;q=1\r\n",
    ])
    func otherCodingsAreRefused(field: String) throws {
        let stand = try Stand()
        let answer = try stand.post(
            "/v1/completions", Array("{\"model\":\"qwen\"}".utf8), fields: field)
        #expect(answer.status == 415)
        #expect(answer.value("X-Penstock-Reason") == "body_encoding")
        #expect(stand.other.requests.isEmpty)
    }

    @Test func heldBodiesAreBounded() throws {
        let stand = try Stand()
        let body = "{\"prompt\":\"\(String(repeating: "x", count: 70_000))\",\"model\":\"llama\"}"
        let answer = try stand.post("/v1/completions", body)
        #expect(answer.status == 413)
        #expect(answer.value("X-Penstock-Reason") == "body_too_large")
        #expect(try stand.held() == 0)
    }

    @Test func whoWaitsToBeAskedForTheBodyIsAsked() throws {
        let stand = try Stand()
        let client = try stand.gateway.connect()
        let body = "{\"model\":\"llama\"}"
        try client.send(
            "POST /v1/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: \(body.count)\r\n\r\n"
        )
        #expect(try client.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        try client.send(body)
        let answer = try client.readResponse()
        #expect(answer.status == 200)
        #expect(answer.bodyText == body)
        #expect(stand.llama.requests.first?.value("Expect") == nil)
    }

    @Test func theModelsAreListed() throws {
        let stand = try Stand()
        let client = try stand.gateway.connect()
        let list = try jsonObject(try client.get("/v1/models").bodyText)
        #expect(list["object"] as? String == "list")
        let data = try #require(list["data"] as? [[String: Any]])
        #expect(
            data.compactMap { $0["id"] as? String } == [
                "llama", "org/llama-8b", "gpt-4o", "quoted\"",
            ])
        let one = try jsonObject(try client.get("/v1/models/org%2Fllama-8b").bodyText)
        #expect(one["id"] as? String == "org/llama-8b")
        #expect(try client.get("/v1/models/none").status == 404)
        let anthropic = try client.get("/v1/models", fields: "anthropic-version: 2023-06-01\r\n")
        #expect(try jsonObject(anthropic.bodyText)["has_more"] as? Bool == false)
        #expect(try client.get("/v1/other").status == 404)
    }

    @Test func whoLeavesWhileItsBodyIsReadLeavesNothing() throws {
        let stand = try Stand()
        let client = try stand.gateway.connect()
        try client.send(
            "POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{\"messages\":[")
        try eventually("held") { try stand.held() > 0 }
        client.close()
        try stand.gateway.settles(clients: 0)
        #expect(try stand.held() == 0)
    }
}
