// By which names the admin pages may be asked for.

import Testing

@testable import Policy

@Suite struct AdminSettingsTests {
    private let settings: AdminSettings = {
        var settings = AdminSettings(ListenSettings(.tcp(host: "127.0.0.1", port: 9090)))
        settings.hosts = ["gpu-1", "gateway.example.com"]
        return settings
    }()

    @Test(arguments: [
        "127.0.0.1", "10.1.2.3", "[::1]", "[2001:DB8::1]", "localhost", "LocalHost", "localhost.",
        "gpu-1", "GPU-1", "Gateway.Example.com", "gateway.example.com.",
    ])
    func accepted(_ host: String) {
        #expect(settings.accepts(host: host))
    }

    /// Names that lead wherever their owner likes, those that only look like others among them.
    @Test(arguments: [
        "evil.example", "localhost.evil.example", "evil-localhost", "127.0.0.1.evil.example",
        "gateway.example.com.evil.example", "example.com", "127.1", "0x7f.0.0.1", "2130706433",
        "[evil]", "[127.0.0.1]", "::1", "", ".", "..", "gpu-1..", "localhost..", "127.0.0.1 ",
    ])
    func refused(_ host: String) {
        #expect(!settings.accepts(host: host))
    }

    /// No browser gets to a unix socket.
    @Test func aUnixSocketHasNoName() {
        let settings = AdminSettings(ListenSettings(.unix(path: "/run/a.sock")))
        #expect(settings.accepts(host: "evil.example"))
    }
}
