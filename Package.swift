// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is compiled alike: language mode 6, strict memory safety, no warnings.
///
/// Each access to an object's property is checked for others that it would overlap, where the compiler
/// cannot show that there are none: a trap in the builds that tests and fuzzers run. Those that serve go
/// without, which saves a request a fifth of its instructions.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    // Lets a type lend its bytes as a `Span` property; the checker then holds the borrow to its
    // owner.
    .enableExperimentalFeature("Lifetimes"),
    .unsafeFlags(
        Context.environment["PENSTOCK_FUZZ"] == nil ? ["-enforce-exclusivity=unchecked"] : [],
        .when(configuration: .release)),
]

let isFuzzed = Context.environment["PENSTOCK_FUZZ"] != nil

/// The world that tests and a fuzzer play gateways in.
///
/// It looks into modules, which only builds for tests let it. Beside tests it is a test target, which
/// other builds leave out; beside fuzz targets, which could not depend on that, a plain one.
let supportDependencies: [Target.Dependency] = [
    "Admission", "Gateway", "Policy", "Reactor", "Telemetry",
    .product(name: "Logging", package: "swift-log"),
]
let support: Target =
    isFuzzed
    ? .target(
        name: "TestSupport", dependencies: supportDependencies, path: "Tests/Support",
        swiftSettings: strict)
    : .testTarget(
        name: "TestSupport", dependencies: supportDependencies, path: "Tests/Support",
        swiftSettings: strict)

let package = Package(
    name: "penstock",
    products: [.executable(name: "penstock", targets: ["penstock"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .target(
            name: "CShims",
            linkerSettings: [
                .linkedLibrary("curl"), .linkedLibrary("z"), .linkedLibrary("crypto"),
                .linkedLibrary("ssl"),
                .linkedLibrary("yaml"), .linkedLibrary("cares"),
            ]),
        .target(name: "Admission", swiftSettings: strict),
        .target(name: "Bytes", swiftSettings: strict),
        .target(name: "HTTP1", dependencies: ["Bytes"], swiftSettings: strict),
        .target(name: "Inference", dependencies: ["Bytes"], swiftSettings: strict),
        .target(name: "Bulk", dependencies: ["Bytes", "Inference"], swiftSettings: strict),
        .target(name: "Policy", dependencies: ["Admission", "CShims"], swiftSettings: strict),
        .target(
            name: "Simulator",
            dependencies: [
                "Admission", "Policy",
                .product(name: "BasicContainers", package: "swift-collections"),
            ],
            swiftSettings: strict),
        .target(
            name: "Reactor",
            dependencies: [
                "Admission", "Bytes", "Policy", "CShims",
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            swiftSettings: strict),
        .target(
            name: "Telemetry",
            dependencies: [
                "Admission", "Bytes", "Inference", "Policy", "Reactor", "CShims",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "Gateway",
            dependencies: [
                "Admission", "Bulk", "Bytes", "HTTP1", "Inference", "Policy", "Reactor",
                "Telemetry",
                "CShims",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "Control",
            dependencies: [
                "Admission", "Bytes", "HTTP1", "Inference", "Policy", "Reactor", "Telemetry",
                "Gateway",
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [.embedInCode("Admin/dashboard.html")], swiftSettings: strict),
        .target(
            name: "Demo",
            dependencies: [
                "Admission", "Bytes", "Control", "HTTP1", "Policy", "Reactor", "Telemetry",
                "Gateway",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "penstock",
            dependencies: [
                "Admission", "Bulk", "Bytes", "Control", "Demo", "HTTP1", "Policy", "Reactor",
                "Simulator", "Telemetry",
            ],
            swiftSettings: strict,
            // All symbols are bound at the start, and the table of them is then read-only: no later
            // write can turn a call elsewhere.
            linkerSettings: [.unsafeFlags(["-Xlinker", "-z", "-Xlinker", "now"])]),
        .testTarget(
            name: "AdmissionTests", dependencies: ["Admission"], swiftSettings: strict),
        .testTarget(
            name: "HTTP1Tests", dependencies: ["HTTP1", "Bytes"], exclude: ["Corpus"],
            swiftSettings: strict),
        .testTarget(
            name: "InferenceTests", dependencies: ["Inference", "Bytes"], exclude: ["Corpus"],
            swiftSettings: strict),
        .testTarget(
            name: "BulkTests", dependencies: ["Bulk", "Bytes"], swiftSettings: strict),
        .testTarget(
            name: "PolicyTests", dependencies: ["Policy", "Admission"], exclude: ["Golden"],
            swiftSettings: strict),
        support,
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "TestSupport", "Gateway", "Admission", "Bytes", "Control", "HTTP1", "Inference",
                "Policy",
                "Reactor", "Telemetry", "CShims", "Demo", "Bulk",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "SimulatorTests", dependencies: ["Simulator", "Admission", "Policy"],
            exclude: ["Scenarios", "Scenarios.md", "README.md", "Comparison", "run"],
            swiftSettings: strict),
        .testTarget(
            name: "CommandTests", dependencies: ["penstock", "Bytes", "Policy", "Telemetry"],
            swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
        // Steps that the cost gates count instructions of: Tests/Benchmarks/gates.
        .executableTarget(
            name: "cost-probe", dependencies: ["Admission", "Bytes", "HTTP1", "Inference"],
            path: "Tests/CostProbe",
            swiftSettings: strict,
            // Nothing else of it imports the C library, whose functions rounding calls in a debug
            // build.
            linkerSettings: [.linkedLibrary("m")]),
        // What threads cost one another at a pool's lock: Tests/Benchmarks/admission.
        .executableTarget(
            name: "admission-probe", dependencies: ["Admission", "Gateway", "Policy", "Reactor"],
            path: "Tests/AdmissionProbe", swiftSettings: strict),
    ]
)

// Fuzz targets need libFuzzer, which a normal build does not link: Tests/Fuzz/run sets this.
if isFuzzed {
    package.targets += [
        .target(
            name: "FuzzSupport", dependencies: ["Bytes", "HTTP1"], path: "Tests/Fuzz/Support",
            swiftSettings: strict)
    ]
    let modules = [
        "RequestParser": ["Bytes", "HTTP1"], "ResponseParser": ["Bytes", "HTTP1"],
        "ChunkedDecoder": ["Bytes", "HTTP1"],
        "PolicyLoader": ["Policy"],
        "Connections": [
            "Admission", "Bytes", "Gateway", "HTTP1", "Policy", "Reactor", "Telemetry",
            "TestSupport",
        ],
        "Handshakes": ["Bytes", "CShims", "Policy", "Reactor"],
    ]
    for (name, modules) in modules {
        var dependencies = modules.map { Target.Dependency.target(name: $0) }
        dependencies.append("FuzzSupport")
        package.targets.append(
            .executableTarget(
                name: "Fuzz\(name)", dependencies: dependencies, path: "Tests/Fuzz/\(name)",
                swiftSettings: strict))
    }
}
