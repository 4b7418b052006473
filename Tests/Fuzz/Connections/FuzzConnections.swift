// Whole connections: a gateway whose clients, backends and clock do what the input says, over
// connections in memory.
//
// Whatever they do, all that reaches a backend is a row of valid requests, all that reaches a client
// a row of valid answers, each the answer to its own request; buffers keep their bounds; and when
// everybody has gone nothing is left: no permit, no place in a queue, no exchange, no connection.

import Admission
import FuzzSupport
import HTTP1
import Policy

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOne(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var schedule = Schedule(unsafe copied(bytes, count))
    schedule.run()
    return 0
}

/// The policy under which the input is played: small bounds, so that a short input reaches them.
enum Stage {
    static let policyText = """
        version: 1
        listen: 127.0.0.1:1
        admin: off
        log: {access: off}
        server:
          max_connections: 8
          max_head_size: 1KiB
          max_fields: 20
          max_body_size: 20KiB
          body_before_queue: 6KiB
          body_before_queue_total: 10KiB
          buffer: {high: 4KiB, low: 1KiB, response: 16KiB, responses_total: 24KiB}
          half_close: HALF
          drain_timeout: 5s
          timeouts: {head: 1s, body_idle: 2s, body: 3s, keep_alive: 3s, write_stall: 2s}
        pools:
          main:
            backends: ["http://127.0.0.1:2", "http://127.0.0.1:3"]
            limit: 1
            websocket: allow
            queue: {max_requests: 2, max_wait: 2s}
            timeouts: {connect: 1s, first_byte: 3s, idle: 2s, stream_stall: 2s, tunnel_idle: 3s}
        routes:
          - {path: /none/*, pool: main, methods: [PUT]}
          - {path: /v1/*, pool: main, stream_keep_alive: 300ms}
          - {path: /*, pool: main}

        """

    /// Both meanings of a client's half-close.
    static let policies = ["gone", "allow"].map { rule in
        let text = policyText.replacing("HALF", with: rule)
        do throws(PolicyError) {
            let policy = try PolicyLoader.load(text: text, file: "policy.yaml")
            return policy
        } catch {
            fatalError("the policy is refused: \(error)")
        }
    }
}
