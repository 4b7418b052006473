// What an operator changes of a pool while it serves, beside what the policy says: the policy stays as it is, so that a reload
// can tell what has changed in it.

package import Admission
internal import Policy

/// What an operator has changed of a pool.
package struct PoolOverrides: Equatable, Sendable {
    /// Whether decisions are carried out or only counted; nil for what the policy says.
    package var mode: AdmissionMode?
    /// The weights of tenants by their names in the policy, 0.01..1,000.
    package var weights: [String: Double] = [:]
    /// What is changed of its backends.
    package var backends = BackendOverrides()

    /// Nothing is changed.
    package init() {}
}

extension PoolSettings {
    /// The same, changed as `overrides` say.
    func overridden(by overrides: PoolOverrides?) -> PoolSettings {
        guard let overrides else { return self }
        var settings = self
        if let mode = overrides.mode { settings.admission.mode = mode }
        for index in settings.admission.tenants.indices {
            if let weight = overrides.weights[settings.admission.tenants[index].name] {
                settings.admission.tenants[index].weight = weight
            }
        }
        return settings
    }
}
