// Who may see the admin pages. Whoever can connect may, unless the policy has the token asked for; but a browser may not be
// led here under another name: a page of a stranger whose name is made to lead to this address (DNS rebinding) could read
// what it likes, as its browser takes both for the same site.

internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy

/// Tells requests that may be answered from those that may not.
struct AdminAccess {
    let settings: AdminSettings?
    let token: AdminToken?

    /// Why a page is not shown to who asks with `head`; nil where it is.
    func refusal(of head: borrowing RequestHead) -> AdminPage? {
        if let authority = head.authority {
            let name = AdminAccess.name(head.span(authority))
            guard settings?.accepts(host: name) ?? true else {
                return AdminPage(
                    status: 421,
                    "these pages are not here under this name; add it to `hosts` of `admin` in the policy, or "
                        + "ask by address or as localhost\n")
            }
        }
        guard settings?.tokenFor == .pages, let token, !shows(token, head) else { return nil }
        var page = AdminPage(
            status: 401,
            "send the token of admin_token_file as Authorization: Bearer TOKEN, or as the password of any user\n"
        )
        // The first that a browser understands is the one that it asks its user for.
        page.challenges = ["Basic realm=\"Penstock\", charset=\"UTF-8\"", "Bearer"]
        return page
    }

    /// Why a request with `head` may change nothing; nil where it may.
    ///
    /// A password does not count here: a browser sends it on its own, to whoever has it send something.
    func refusalOfChange(_ head: borrowing RequestHead) -> AdminPage? {
        guard let token else {
            return AdminPage(
                status: 403,
                "nothing can be changed here; set admin_token_file in the policy to the file of a token, "
                    + "and send it as Authorization: Bearer TOKEN\n")
        }
        for field in head.fields where field.known == .authorization {
            if shows(token, bearer: head.value(of: field)) { return nil }
        }
        var page = AdminPage(
            status: 401, "send the token of admin_token_file as Authorization: Bearer TOKEN\n")
        page.challenges = ["Bearer"]
        return page
    }

    private func shows(_ token: AdminToken, _ head: borrowing RequestHead) -> Bool {
        for field in head.fields where field.known == .authorization {
            let value = head.value(of: field)
            if shows(token, bearer: value) || shows(token, basic: value) { return true }
        }
        return false
    }

    private func shows(_ token: AdminToken, bearer value: Span<UInt8>) -> Bool {
        guard value.count > AdminAccess.bearer.count,
            value.hasPrefix(lowercase: AdminAccess.bearer.span)
        else { return false }
        return token.isEqual(to: value.extracting(AdminAccess.bearer.count..<value.count))
    }

    /// Whether the password behind the first colon is the token (RFC 7617 section 2).
    private func shows(_ token: AdminToken, basic value: Span<UInt8>) -> Bool {
        guard value.count > AdminAccess.basic.count,
            value.hasPrefix(lowercase: AdminAccess.basic.span),
            let pair = Base64.decode(value.extracting(AdminAccess.basic.count..<value.count)),
            let colon = pair.firstIndex(of: UInt8(ascii: ":"))
        else { return false }
        return token.isEqual(to: pair.span.extracting((colon + 1)..<pair.count))
    }

    private static let bearer = Array("bearer ".utf8)
    private static let basic = Array("basic ".utf8)

    /// The host of `authority`, without its port.
    private static func name(_ authority: Span<UInt8>) -> String {
        var end = 0
        if authority.count > 0, authority[0] == UInt8(ascii: "[") {
            while end < authority.count, authority[end] != UInt8(ascii: "]") { end += 1 }
            end = min(end + 1, authority.count)
        } else {
            while end < authority.count, authority[end] != UInt8(ascii: ":") { end += 1 }
        }
        return authority.extracting(0..<end).text
    }
}
