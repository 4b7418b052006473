// Policies in which every key is given, one for each algorithm, in block style with a key a line.

enum FullPolicy {
    static let all = [
        policy(limit: ["algorithm: fixed", "limit: 5"]),
        policy(limit: [
            "algorithm: aimd", "initial: 2", "min: 2", "max: 3", "backoff: 0.8", "timeout: 3s",
        ]),
        policy(limit: [
            "algorithm: gradient", "initial: 2", "min: 2", "max: 3", "tolerance: 2",
            "smoothing: 0.5", "long_window: 100", "queue_size: 1", "backoff: 0.8",
        ]),
    ]

    private static func policy(limit: [String]) -> String {
        """
        version: 1
        listen: 127.0.0.1:8080
        admin:
          address: 0.0.0.0:9091
          allow_remote: true
        server:
          max_connections: 5
          max_head_size: 2KiB
          max_fields: 5
          max_body_size: 5B
          buffer:
            high: 128KiB
            low: 8KiB
          half_close: allow
          drain_timeout: 5s
          timeouts:
            head: 5s
            body_idle: 5s
            keep_alive: 5s
            write_stall: 5s
        log:
          level: trace
          to: stdout
          access:
            to: stderr
            only: failures
            sample: 0.5
        forwarding:
          via: gateway
          forwarded: set
          request_id: replace
        pools:
          chat:
            backends: [https://a.example.com]
            tls:
              verify: true
              ca_file: /ca.pem
              certificate_file: /client.pem
              key_file: /client.key
            host: backend
            limit:
              \(limit.joined(separator: "\n      "))
            queue:
              max_requests: 5
              max_bytes: 5B
              max_wait: 5s
            ejection:
              base: 5s
              max: 40s
            timeouts:
              connect: 5s
              first_byte: 5s
              idle: 5s
            keep_alive:
              idle: 5s
              max_connections: 5
        routes:
          - path: /a
            pool: chat
            hosts: [a.example.com]
            methods: [POST]

        """
    }
}
