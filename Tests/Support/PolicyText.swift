// Policies that tests are played under.

/// The text of a policy with one pool for all paths.
///
/// `pool` and `server` are what stands in those mappings, `more` is appended to the file.
func policyText(
    _ backends: [String], pool: String = "limit: 100", server: String = "", more: String = "",
    listen: String = "127.0.0.1:0"
) -> String {
    let urls = backends.map { "\"\($0)\"" }.joined(separator: ", ")
    return """
        version: 1
        listen: [\(listen)]
        admin: off
        log: {access: off}
        server: {\(server)}
        pools:
          main: {backends: [\(urls)], \(pool)}
        routes:
          - {path: /*, pool: main}
        \(more)

        """
}
