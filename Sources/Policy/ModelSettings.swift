// How requests are routed by the model that they name.

/// How bodies are read whose requests are routed by model.
package struct ModelSettings: Equatable, Sendable {
    /// Other names for models, all different.
    package var aliases: [ModelAlias] = []
    /// Bytes of one body that are held until its model is known, 1 KiB..256 MiB.
    package var maxHeldBytes = 8 << 20
    /// Bytes of all bodies that one thread holds, 1 MiB..64 GiB.
    package var maxHeldTotalBytes = 256 << 20

    /// Time between two rounds in which backends are asked for their models, 100 ms..24 h; `nil` for
    /// never.
    package var refresh: Duration? = .seconds(30)

    /// The defaults.
    package init() {}
}

/// Another name for a model.
package struct ModelAlias: Equatable, Sendable {
    /// What requests may say.
    package var name: String
    /// What the backends are told instead, and what routes match.
    package var model: String

    /// `name` stands for `model`.
    package init(name: String, model: String) {
        self.name = name
        self.model = model
    }
}
