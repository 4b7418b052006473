// What is to happen at some later time, the earliest first. Most of what happens next is known to
// its owner (the next arrival of an open stream, the next end at a backend) and never comes here.

/// Something that concerns one request, at a time.
struct Event {
    enum Kind: UInt8 {
        /// A closed loop's client or a retrying one makes its next attempt.
        case arrival
        /// The client loses patience.
        case patience
        /// The connection to the backend is refused.
        case refusal
        /// The backend fails the request without any work.
        case failure
        /// An engine notices that the gateway closed the connection.
        case stop
        /// The gateway closes the connection of a request whose client has left.
        case keptEnd
        /// A slow client has sent its body to the gateway, which offers the request.
        case bodyHeld
        /// A slow client has sent its body through to the backend.
        case sent
        /// A slow client has taken the response.
        case delivered
    }

    /// Nanoseconds since the simulation's start.
    var time: Int64
    /// Orders equal times by when they were scheduled.
    var sequence: UInt64
    var slot: Int32
    /// The event is void when its request's generation is another one by then.
    var generation: UInt32
    var kind: Kind

    func isBefore(_ other: Event) -> Bool {
        time != other.time ? time < other.time : sequence < other.sequence
    }
}

/// A binary min-heap of events.
struct EventHeap {
    private var events: [Event] = []
    private var sequence: UInt64 = 0

    init() { events.reserveCapacity(1024) }

    /// When the next event is; the end of time when there is none.
    var nextTime: Int64 { events.isEmpty ? .max : events[0].time }

    mutating func schedule(
        _ kind: Event.Kind, at time: Int64, slot: Int32, generation: UInt32
    ) {
        sequence += 1
        let event = Event(
            time: time, sequence: sequence, slot: slot, generation: generation, kind: kind)
        events.append(event)
        var index = events.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard event.isBefore(events[parent]) else { break }
            events[index] = events[parent]
            index = parent
        }
        events[index] = event
    }

    mutating func popFirst() -> Event? {
        guard let last = events.popLast() else { return nil }
        guard let first = events.first else { return last }
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < events.count else { break }
            if child + 1 < events.count, events[child + 1].isBefore(events[child]) { child += 1 }
            guard events[child].isBefore(last) else { break }
            events[index] = events[child]
            index = child
        }
        events[index] = last
        return first
    }
}
