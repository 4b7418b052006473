// What lies in a folder. An entry of the C library's lasts until the next one is asked for; its name is copied at once.

import CShims
import Glibc

/// Lists folders.
package enum FolderListing {
    /// The names of a folder's entries that are `wanted`, by their bytes; `most` of them at most, whichever come first.
    package static func names(
        in folder: String, atMost most: Int = .max, wanted: (String) -> Bool
    ) throws(TextFile.Reason) -> [String] {
        guard let listing = unsafe opendir(folder) else { throw TextFile.Reason(code: errno) }
        defer { unsafe closedir(listing) }
        var names: [String] = []
        while names.count < most, let entry = unsafe readdir(listing) {
            let name = unsafe String(cString: penstock_entry_name(entry))
            if name != ".", name != "..", wanted(name) { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
