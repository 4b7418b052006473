// What operators may change, as values: forms, requests, and when a change has had its day.

import Admission
import Policy
import Reactor
import Testing

@testable import Control
@testable import TestSupport

@Suite struct OverrideTests {
    private static let author = PeerCredentials(process: 4, user: 1_000)

    private static func policy(_ pool: String = "limit: 100", more: String = "") throws -> Policy {
        let text = policyText(["http://127.0.0.1:1", "http://127.0.0.1:2"], pool: pool, more: more)
        return try PolicyLoader.load(text: text, file: "policy.yaml")
    }

    private static func override(
        _ change: Change, _ policy: Policy, until: Int64? = nil
    ) throws -> Override {
        Override(
            change: change, replaced: try #require(change.configured(in: policy)),
            since: Instant(nanoseconds: 0), until: until.map { Instant(nanoseconds: $0) },
            author: author)
    }

    private static let first = Change.BackendName(
        label: "http://127.0.0.1:1", key: "http://127.0.0.1:1")

    private static let changes: [Change] = [
        .drain(pool: "main", first), .limit(pool: "main", nil, 64), .limit(pool: "main", first, 7),
        .mode(pool: "main", .observe), .weight(pool: "main", tenant: "gold", 2.5),
        .logLevel(.debug),
    ]

    private static let tenants = "limit: 100, tenant: {header: x, named: [{name: gold, weight: 4}]}"

    // MARK: Forms

    /// Any names and values are the same again.
    @Test func formsAreReadAsTheyWereWritten() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<500 {
            var form = Form()
            for _ in 0..<Int(random.next() % 5) {
                form[Self.text(&random)] = Self.text(&random)
            }
            #expect(Form(form.text) == form, "seed \(seed)")
        }
        // Bytes that mean nothing never end the process.
        for _ in 0..<2_000 {
            let bytes = Array("%+&=aF0".utf8)
            let text = (0..<random.next() % 24).map { _ in bytes[Int(random.next() % 7)] }
            _ = Form(String(decoding: text, as: UTF8.self))
        }
    }

    private static func text(_ random: inout SplitMix64) -> String {
        let letters = Array("aZ09-._~ +&=%\n\t\"é漢🚰/:?#")
        let count = 1 + Int(random.next() % 12)
        return String(
            (0..<count).map { _ in letters[Int(random.next() % UInt64(letters.count))] })
    }

    @Test func formsThatSayNothingClear() {
        for text in ["a", "a=1&a=2", "a=%", "a=%4", "a=%zz", "a=%ff", "&=%"] {
            #expect(Form(text) == nil, "\(text)")
        }
        #expect(Form("")?.values == [:])
        #expect(Form("a=b%20c+d&e=")?.values == ["a": "b c d", "e": ""])
    }

    // MARK: Requests

    @Test func requestsAreWhatTheyMean() throws {
        let cases: [(String, String, ControlRequest)] = [
            (
                "drain", "pool=a&backend=b&for=30m",
                .make(.drain(pool: "a", backend: "b"), .seconds(1800))
            ),
            ("undrain", "pool=a&backend=b", .takeBack(.drain(pool: "a", backend: "b"))),
            ("limit", "pool=a&value=3", .make(.limit(pool: "a", backend: nil, 3), nil)),
            (
                "limit", "pool=a&backend=b&value=auto",
                .takeBack(.limit(pool: "a", backend: "b", 1))
            ),
            ("mode", "pool=a&value=observe", .make(.mode(pool: "a", .observe), nil)),
            (
                "weight", "pool=a&tenant=t&value=0.5",
                .make(.weight(pool: "a", tenant: "t", 0.5), nil)
            ),
            ("log", "value=trace&for=1s", .make(.logLevel(.trace), .seconds(1))),
            ("log", "value=auto", .takeBack(.logLevel(.info))),
            ("clear", "", .takeAllBack), ("reload", "", .reload), ("upgrade", "", .upgrade),
        ]
        for (name, form, request) in cases {
            #expect(try ControlRequest(name, try #require(Form(form))) == request)
        }
    }

    @Test(arguments: [
        ("drain", "pool=a"), ("drain", "backend=b"), ("drain", "pool=a&backend=b&for=0s"),
        ("drain", "pool=a&backend=b&for=30"), ("drain", "pool=a&backend=b&for=9999h"),
        ("undrain", "pool=a&backend=b&for=1h"), ("limit", "pool=a&value=0"),
        ("limit", "pool=a&value=100001"), ("limit", "pool=a&value=1.5"), ("limit", "pool=a"),
        ("limit", "pool=a&value=auto&for=1m"), ("mode", "pool=a&value=off"),
        ("weight", "pool=a&tenant=t&value=nan"), ("weight", "pool=a&tenant=t&value=0"),
        ("weight", "pool=a&tenant=t&value=inf"), ("log", "value=loud"), ("log", ""),
        ("clear", "pool=a"), ("reload", "x=y"), ("", ""), ("status", ""),
    ]) func requestsThatMeanNothing(name: String, form: String) throws {
        let form = try #require(Form(form))
        #expect(throws: ControlRequest.Fault.self) { try ControlRequest(name, form) }
    }

    // MARK: Changes

    /// The next process has what this one had, and nothing that it cannot read.
    @Test func goesToTheNextProcess() throws {
        let policy = try Self.policy(Self.tenants)
        for (index, change) in Self.changes.enumerated() {
            let override = try Self.override(change, policy, until: index == 0 ? nil : 5)
            #expect(Override(override.text) == override)
            for cut in [1, 5, override.text.count / 2] {
                let text = String(override.text.dropLast(cut))
                if let read = Override(text) { #expect(read != override) }
            }
        }
        #expect(Override("") == nil && Override("verb=limit&pool=a&value=0") == nil)
        var text = HandoverText()
        text.overrides = try Self.changes.map { try Self.override($0, policy).text } + ["nonsense"]
        text.limits = "[]"
        let read = HandoverText(text.text)
        #expect(read.limits == "[]")
        #expect(read.adoptedOverrides(under: policy).all.map(\.change) == Self.changes)
        // What the policy says otherwise by then is not taken over.
        let other = try Self.policy("limit: 5, mode: observe")
        #expect(
            read.adoptedOverrides(under: other).all.map(\.change) == [
                Self.changes[0], Self.changes[5],
            ])
    }

    @Test func goesWhenThePolicySaysSomethingElse() throws {
        let before = try Self.policy(Self.tenants)
        var overrides = Overrides()
        for change in Self.changes {
            #expect(overrides.set(try Self.override(change, before)).isTaken)
        }
        // A reload that does not touch it leaves it.
        #expect(
            overrides.follow(try Self.policy(Self.tenants + ", queue: {max_requests: 3}")) == [])
        var gone = overrides.follow(try Self.policy(Self.tenants.replacing("100", with: "99")))
        #expect(gone.map(\.change) == [Self.changes[1], Self.changes[2]])
        gone = overrides.follow(
            try Self.policy(Self.tenants.replacing("weight: 4", with: "weight: 5")))
        #expect(gone.map(\.change) == [Self.changes[4]])
        gone = overrides.follow(
            try Self.policy(Self.tenants).with { $0.log.level = .warning })
        #expect(gone.map(\.change) == [Self.changes[5]])
        gone = overrides.follow(try Self.policy().with { $0.pools[0].backends.removeFirst() })
        #expect(gone.map(\.change) == [Self.changes[0]])
        gone = overrides.follow(try Self.policy().with { $0.pools[0].name = "other" })
        #expect(gone.map(\.change) == [Self.changes[3]] && overrides.all.isEmpty)
    }

    @Test func endsWithItsTime() throws {
        let policy = try Self.policy(Self.tenants)
        var overrides = Overrides()
        #expect(overrides.nextEnd == .distantFuture)
        _ = overrides.set(try Self.override(Self.changes[0], policy, until: 10))
        _ = overrides.set(try Self.override(Self.changes[3], policy, until: 5))
        _ = overrides.set(try Self.override(Self.changes[1], policy))
        #expect(overrides.nextEnd == Instant(nanoseconds: 5))
        #expect(overrides.expire(now: Instant(nanoseconds: 4)) == [])
        #expect(overrides.expire(now: Instant(nanoseconds: 5)).map(\.change) == [Self.changes[3]])
        #expect(overrides.expire(now: Instant(nanoseconds: 99)).map(\.change) == [Self.changes[0]])
        #expect(overrides.nextEnd == .distantFuture && overrides.all.count == 1)
    }

    @Test func thereAreOnlySoMany() throws {
        let policy = try Self.policy(Self.tenants)
        var overrides = Overrides()
        for index in 0..<Overrides.most {
            let change = Change.limit(
                pool: "main", Change.BackendName(label: "\(index)", key: "\(index)"), 1)
            #expect(
                overrides.set(
                    Override(
                        change: change, replaced: "", since: Instant(nanoseconds: 0),
                        author: Self.author)
                ).isTaken)
        }
        #expect(!overrides.set(try Self.override(Self.changes[3], policy)).isTaken)
        #expect(overrides.all.count == Overrides.most)
        // One in place of another is no more than before.
        let again = Change.limit(pool: "main", Change.BackendName(label: "3", key: "3"), 9)
        let (isTaken, former) = overrides.set(
            Override(
                change: again, replaced: "", since: Instant(nanoseconds: 0), author: Self.author))
        #expect(isTaken && former?.change.value == "1" && overrides.all.count == Overrides.most)
        #expect(overrides.clear().count == Overrides.most && overrides.all.isEmpty)
    }
}

extension Policy {
    fileprivate func with(_ change: (inout Policy) -> Void) -> Policy {
        var copy = self
        change(&copy)
        return copy
    }
}
