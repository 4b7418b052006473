// One of libcurl's easy handles, as an object that cleans it up.

internal import CShims

/// An easy handle, owned.
@safe package final class EasyHandle {
    /// Made in `make`, cleaned up in `deinit`; valid as long as this object lives.
    let pointer: UnsafeMutableRawPointer

    private init(owning pointer: UnsafeMutableRawPointer) { unsafe self.pointer = pointer }

    deinit { unsafe curl_easy_cleanup(pointer) }

    /// A new handle, or nil when memory is short.
    static func make() -> EasyHandle? {
        guard let pointer = unsafe curl_easy_init() else { return nil }
        return unsafe EasyHandle(owning: pointer)
    }

    /// Forgets all options, so that the handle can serve another dial.
    func reset() { unsafe curl_easy_reset(pointer) }

    /// The handle's identity, as libcurl names it in its messages.
    var key: Int { unsafe Int(bitPattern: pointer) }
}
