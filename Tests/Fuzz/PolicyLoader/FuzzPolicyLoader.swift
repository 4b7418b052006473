// Policies: any text gives a policy, which its own dump gives again, or faults that have places.

import FuzzSupport
import Policy

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOne(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    check(unsafe copied(bytes, count))
    return 0
}

private func check(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    do throws(PolicyError) {
        let policy = try PolicyLoader.load(text: text, file: "policy.yaml")
        let dump = PolicyDump.yaml(policy)
        do throws(PolicyError) {
            let again = try PolicyLoader.load(text: dump, file: "dump.yaml")
            require(again == policy, "the dump is another policy:\n\(dump)")
        } catch {
            require(false, "the dump is refused: \(error)\n\(dump)")
        }
    } catch {
        require(!error.diagnostics.isEmpty, "an error without a fault")
        for diagnostic in error.diagnostics {
            require(diagnostic.line >= 1 && diagnostic.column >= 1, "a fault without a place")
            require(!diagnostic.description.contains("\n"), "a fault of several lines")
        }
    }
}
