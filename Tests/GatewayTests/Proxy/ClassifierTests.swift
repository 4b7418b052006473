// Whose a request is and which class it gets, by its fields.

import Admission
import Bytes
import HTTP1
import Policy
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct ClassifierTests {
    private static let key = HashKey(low: 1, high: 2)

    private func table(_ pool: String) throws -> Classifier {
        let policy = try PolicyLoader.load(
            text: policyText(["http://127.0.0.1:1"], pool: pool), file: "policy.yaml")
        return Classifier(policy.pools[0], hashKey: Self.key)
    }

    private func identity(_ table: Classifier, _ fields: String = "") throws -> Identity {
        var parser = RequestParser(limits: HeadLimits(maxHeadBytes: 32 * 1024, maxFields: 100))
        var input = ByteBuffer()
        input.append("GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n")
        guard case .head = try parser.next(in: input) else {
            Issue.record("the head of \(fields) is not complete")
            return Identity()
        }
        return table.identity(of: parser.head)
    }

    private static let tenants = """
        priority: {header: x-priority, classes: [high, middle, low], default: middle}, tenant: {\
        header: x-tenant, default: {highest_class: middle}, \
        named: [{name: acme, highest_class: high}, {name: Acme}, {name: night, highest_class: low}]}
        """

    @Test func withoutHeadersAllAreOneTenantOfOneClass() throws {
        let table = try table("limit: 1")
        #expect(try identity(table, "x-tenant: acme\r\npriority: u=7\r\n") == Identity())
    }

    @Test func namedTenantsAreFoundByTheirBytes() throws {
        let table = try table(Self.tenants)
        #expect(try identity(table, "x-tenant: acme\r\n").tenant == .named("acme"))
        #expect(try identity(table, "X-TENANT:   Acme  \r\n").tenant == .named("Acme"))
        #expect(try identity(table, "x-tenant: night\r\n").tenant == .named("night"))
        #expect(try identity(table, "x-tenan: night\r\nx-tenants: night\r\n").tenant == .anonymous)
        #expect(try identity(table, "x-tenant:\r\n").tenant == .anonymous)
        #expect(try identity(table).tenant == .anonymous)
        // The first that says something counts.
        let twice = "x-tenant: \r\nx-tenant: night\r\nx-tenant: acme\r\n"
        #expect(try identity(table, twice).tenant == .named("night"))
    }

    @Test func allOfManyTenantsAreFound() throws {
        let names = (0..<4_096).map { "{name: t\($0)}" }.joined(separator: ", ")
        let table = try table("tenant: {header: x-tenant, named: [\(names)]}")
        for index in 0..<4_096 {
            #expect(try identity(table, "x-tenant: t\(index)\r\n").tenant == .named("t\(index)"))
        }
        guard case .hashed = try identity(table, "x-tenant: t4096\r\n").tenant else {
            Issue.record("a tenant that has no name was found")
            return
        }
    }

    @Test func othersAreToldApartByAHash() throws {
        let table = try table(Self.tenants)
        let one = try identity(table, "x-tenant: zeta\r\n").tenant
        #expect(try identity(table, "x-tenant: zeta\r\n").tenant == one)
        #expect(try identity(table, "x-tenant: zetb\r\n").tenant != one)
        #expect(one == .hashed(Self.key.hash(Array("zeta".utf8).span)))
        #expect(one != .hashed(HashKey(low: 1, high: 3).hash(Array("zeta".utf8).span)))
    }

    @Test(arguments: [
        ("", 1), ("x-priority: high\r\n", 1), ("x-priority: low\r\n", 2),
        ("x-priority: none\r\n", 1), ("x-tenant: acme\r\n", 1),
        ("x-tenant: acme\r\nx-priority: high\r\n", 0),
        ("x-tenant: acme\r\nx-priority: HIGH\r\n", 1),
        ("x-tenant: acme\r\nx-priority: u=0\r\n", 1),
        ("x-tenant: night\r\nx-priority: high\r\n", 2), ("x-tenant: night\r\n", 2),
        ("x-tenant: zeta\r\nx-priority: high\r\n", 1),
        ("x-tenant: zeta\r\nx-priority: low\r\n", 2),
    ])
    func aClassIsClaimedAsFarAsTheTenantMay(fields: String, expected: Int) throws {
        #expect(try identity(try table(Self.tenants), fields).priorityClass == expected)
    }

    /// 8 urgencies over 1, 2, 3 and 16 classes.
    @Test(arguments: [
        (1, [0, 0, 0, 0, 0, 0, 0, 0]), (2, [0, 0, 0, 0, 1, 1, 1, 1]),
        (3, [0, 0, 0, 1, 1, 1, 2, 2]), (16, [0, 2, 4, 6, 8, 10, 12, 14]),
    ])
    func urgenciesAreSpreadOverTheClasses(count: Int, expected: [Int]) throws {
        let names = (0..<count).map { "c\($0)" }.joined(separator: ", ")
        let table = try table("priority: {header: priority, classes: [\(names)]}")
        for (urgency, place) in expected.enumerated() {
            let found = try identity(table, "Priority: u=\(urgency)\r\n")
            #expect(found.priorityClass == place, "u=\(urgency) of \(count)")
        }
        // By name works as well.
        #expect(try identity(table, "Priority: c\(count - 1)\r\n").priorityClass == count - 1)
    }

    @Test(
        arguments: [
            ("u=5", 5), ("u=0,i", 0), ("i, u=7", 7), ("i;u=1, u=2;x=1", 2), ("u=1, u=6", 6),
            ("a=\"u=1, u=2\", u=3", 3), ("a=\"\\\"\", u=4", 4), ("x;y=\",u=1\", u=4", 4),
            ("u=2;foo , i", 2),
        ] as [(String, Int)])
    func readsUrgencies(field: String, urgency: Int) {
        #expect(PriorityField.urgency(Array(field.utf8).span) == urgency)
    }

    @Test(arguments: [
        "", "i", "u", "u=", "u=8", "u=-1", "u=1.5", "u=11", "u=\"1\"", "U=1", "u=1,", "u=1, ,i",
        "a=\"u=1", "=1", ",u=1", "u=1, u=9", "a=\"\\",
    ])
    func ignoresWhatIsNoUrgency(field: String) {
        #expect(PriorityField.urgency(Array(field.utf8).span) == nil)
    }

    /// The vectors of the SipHash paper's appendix and reference code.
    @Test func hashesAsSipHashDoes() {
        let key = HashKey(low: 0x0706_0504_0302_0100, high: 0x0f0e_0d0c_0b0a_0908)
        let vectors: [(Int, UInt64)] = [
            (0, 0x726f_db47_dd0e_0e31), (1, 0x74f8_39c5_93dc_67fd), (8, 0x93f5_f579_9a93_2462),
            (15, 0xa129_ca61_49be_45e5),
        ]
        for (count, hash) in vectors {
            let bytes = (0..<count).map { UInt8($0) }
            #expect(key.hash(bytes.span) == hash, "\(count) bytes")
        }
        #expect(HashKey.random().low != HashKey.random().low)
    }
}
