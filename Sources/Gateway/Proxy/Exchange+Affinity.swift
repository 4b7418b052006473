// What the prompt of a request begins with, for pools that send requests to where their prompts are known: by its
// values where its body can be read, or by what it belongs to.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor

extension Exchange {
    /// What the request's prompt begins with; nil where that is not known, or nothing to `pool`.
    @inline(never)
    func prefixKeys(
        in pool: Pool, _ head: borrowing RequestHead, from client: ClientConnection
    ) -> PrefixKeys? {
        let rule = pool.settings.affinity
        var apart: UInt64 = 0
        if rule.scope == .tenant {
            apart = Claim.tenantHash(in: pool, head, from: client, RouteSplit.hashKey) ?? 0
        }
        switch rule.by {
        case .off: return nil
        case .header:
            guard let name = pool.affinityHeader, let field = Classifier.field(name, of: head)
            else { return nil }
            let hash = RouteSplit.hashKey.hash(head.value(of: field))
            return PrefixKeys(
                belongingTo: SplitMix64.mix(hash ^ apart), bytes: intake.contentBytes)
        case .prefix: return keysOfPrompt(head, from: client, apart: apart)
        }
    }

    /// What the body begins with, as far as it has come; a compressed one is not read.
    private func keysOfPrompt(
        _ head: borrowing RequestHead, from client: ClientConnection, apart: UInt64
    ) -> PrefixKeys? {
        if let body = intake.body, body.isHolding {
            if body.isCompressed { return nil }
            return keysOfPrompt(body.held.bytes, head, apart: apart)
        }
        // A body that came with its head is still where it was read into.
        guard client.hasInput, case .length(let length) = head.framing else { return nil }
        let count = min(length, client.input.count)
        return keysOfPrompt(client.input, 0..<count, head, apart: apart)
    }

    private func keysOfPrompt(
        _ input: borrowing ByteBuffer, _ content: Range<Int>, _ head: borrowing RequestHead,
        apart: UInt64
    ) -> PrefixKeys? {
        keysOfPrompt(input.bytes.extracting(content), head, apart: apart)
    }

    private func keysOfPrompt(
        _ bytes: Span<UInt8>, _ head: borrowing RequestHead, apart: UInt64
    ) -> PrefixKeys? {
        guard ContentCoding(of: head) == .identity else { return nil }
        let rest = max(0, (intake.announcedLength ?? bytes.count) - bytes.count)
        var keys = PrefixKeys()
        let count = shard.promptReader.read(bytes, restBytes: rest, apart: apart) { key, bytes in
            keys.append(key: key, bytes: bytes)
        }
        guard count > 0, !keys.places.isEmpty else { return nil }
        keys.extend(toBytes: count)
        return keys
    }
}
