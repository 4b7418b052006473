// What whoever has the control socket may ask for: the words of a request's path and of its form, and what is wrong with them.

internal import Admission
internal import Policy

/// A request to change something.
enum ControlRequest: Equatable {
    /// Something is changed, for so long.
    case make(Wanted, Duration?)
    /// A change is taken back.
    case takeBack(Wanted)
    case takeAllBack
    case reload
    case upgrade

    /// What is to be changed, in the words of who asks: its names may mean nothing.
    enum Wanted: Equatable {
        case drain(pool: String, backend: String)
        case limit(pool: String, backend: String?, Int)
        case mode(pool: String, AdmissionMode)
        case weight(pool: String, tenant: String, Double)
        case logLevel(LogSettings.Level)
    }

    /// What is wrong with a request.
    struct Fault: Error, Equatable {
        var text: String
    }

    /// The word for what the policy says.
    static let policyWord = "auto"
    /// How long a change may last that has an end.
    static let durations = Duration.seconds(1)...Duration.seconds(30 * 24 * 3600)
    /// The names of requests, as paths have them.
    static let names = [
        "drain", "undrain", "limit", "mode", "weight", "log", "clear", "reload", "upgrade",
    ]

    /// The request that `name` and `form` say; throws what is wrong with them.
    init(_ name: String, _ form: Form) throws(Fault) {
        var form = FormReader(form: form)
        switch name {
        case "drain", "undrain":
            let pool = try form.text("pool", "a pool's name")
            let backend = try form.text("backend", "a backend's URL as /status has it")
            let wanted = Wanted.drain(pool: pool, backend: backend)
            self = name == "undrain" ? .takeBack(wanted) : .make(wanted, try form.duration())
        case "limit":
            let pool = try form.text("pool", "a pool's name")
            let backend = form.take("backend")
            let remedy = "write an integer from 1 to 100000, or \(Self.policyWord)"
            let value = try form.text("value", remedy)
            if value == Self.policyWord {
                self = .takeBack(.limit(pool: pool, backend: backend, 1))
            } else {
                guard let limit = Int(value), Change.limits.contains(limit) else {
                    throw Fault(text: "\(value.quoted) is no limit; \(remedy)")
                }
                self = .make(.limit(pool: pool, backend: backend, limit), try form.duration())
            }
        case "mode":
            let pool = try form.text("pool", "a pool's name")
            let mode = try form.word(AdmissionMode.allCases, or: .enforce)
            self = try form.change(.mode(pool: pool, mode.value), mode.isPolicys)
        case "weight":
            let pool = try form.text("pool", "a pool's name")
            let tenant = try form.text("tenant", "a tenant's name as the policy has it")
            let remedy = "write a number from 0.01 to 1000, or \(Self.policyWord)"
            let value = try form.text("value", remedy)
            let weight = value == Self.policyWord ? 1 : Double(value) ?? 0
            guard Change.weights.contains(weight) else {
                throw Fault(text: "\(value.quoted) is no weight; \(remedy)")
            }
            self = try form.change(
                .weight(pool: pool, tenant: tenant, weight), value == Self.policyWord)
        case "log":
            let level = try form.word(LogSettings.Level.allCases, or: .info)
            self = try form.change(.logLevel(level.value), level.isPolicys)
        case "clear": self = .takeAllBack
        case "reload": self = .reload
        case "upgrade": self = .upgrade
        default:
            throw Fault(
                text: "no such request; there are \(Self.names.joined(separator: ", "))")
        }
        try form.end()
    }
}

/// Takes values out of a form, and tells what is left.
private struct FormReader {
    var form: Form

    mutating func take(_ name: String) -> String? {
        defer { form[name] = nil }
        return form[name]
    }

    mutating func text(_ name: String, _ wanted: String) throws(ControlRequest.Fault) -> String {
        guard let text = take(name), !text.isEmpty else {
            throw ControlRequest.Fault(text: "\(name) is missing: \(wanted)")
        }
        return text
    }

    mutating func word<Value: RawRepresentable<String>>(
        _ all: [Value], or policys: Value
    ) throws(ControlRequest.Fault) -> (value: Value, isPolicys: Bool) {
        let names = (all.map(\.rawValue) + [ControlRequest.policyWord]).joined(separator: ", ")
        let text = try text("value", "one of \(names)")
        if text == ControlRequest.policyWord { return (policys, true) }
        guard let value = Value(rawValue: text) else {
            throw ControlRequest.Fault(text: "\(text.quoted) is none of \(names)")
        }
        return (value, false)
    }

    mutating func change(
        _ wanted: ControlRequest.Wanted, _ isPolicys: Bool
    ) throws(ControlRequest.Fault) -> ControlRequest {
        isPolicys ? .takeBack(wanted) : .make(wanted, try duration())
    }

    mutating func duration() throws(ControlRequest.Fault) -> Duration? {
        guard let text = take("for") else { return nil }
        guard let duration = Duration.written(text), ControlRequest.durations.contains(duration)
        else {
            throw ControlRequest.Fault(
                text:
                    "\(text.quoted) is no time that a change may last; write 1s to 720h, such as 30m"
            )
        }
        return duration
    }

    func end() throws(ControlRequest.Fault) {
        guard let name = form.values.keys.sorted().first else { return }
        throw ControlRequest.Fault(text: "\(name.quoted) has no meaning here; remove it")
    }
}
