// Usage of streams whose clients did not ask for it: the request is made to ask, and the event that says it
// is kept from the client. Without it a prompt's tokens are guessed by its length.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy

extension Exchange {
    /// Whether the body is read, on the route with that index, for whether it asks for a stream.
    @inline(__always) func isBodyWanted(onRoute index: Int) -> Bool {
        snapshot.routes.looksForStreams
            && (isStreamWanted(onRoute: index) || isUsageWanted(onRoute: index))
    }

    /// Whether the backend is to say the usage of the stream that the request may ask for, on the route
    /// with that index: then all of the body has to be known.
    ///
    /// What the request says of its body's type and coding is not asked: some servers read JSON whatever
    /// is said.
    func isUsageWanted(onRoute index: Int) -> Bool {
        guard snapshot.policy.routes[index].streamUsage == .ask, intake.head.method == .post else {
            return false
        }
        return claim.takesStreamOptions(intake.head)
    }

    /// Has the request ask for the usage of its stream, where it is to and can be made to.
    func askForUsage() {
        guard routeIndex >= 0, isUsageWanted(onRoute: routeIndex), intake.isComplete,
            let body = intake.body, !isHalfHeld(body), body.mayAskForUsage
        else { return }
        claim.askForUsage(inStead: !body.asksForUsage)
    }

    /// Keeps the event that is there for usage from a client that did not ask for it.
    func filterUsage() {
        if claim.keepsUsage, attempt.isServedStream { attempt.filterUsage() }
    }

    /// How the response of that head is framed towards the client: one that is filtered has no length that
    /// is known.
    func framing(of head: borrowing ResponseHead) -> BodyFraming {
        let version = intake.head.version
        let framing = ResponseRewriter.framing(of: head, towards: version)
        guard attempt.isFiltered, case .length = framing else { return framing }
        return version == .http11 ? .chunked : .untilClose
    }
}
