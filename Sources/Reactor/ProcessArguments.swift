// The words that the process was started with, also where there is no /proc to read them from.

internal import CShims

/// The process's command line.
package enum ProcessArguments {
    /// Its words, the program's name first; bytes that are no UTF-8 are replaced.
    ///
    /// Empty where whoever started the process gave it not even a name.
    package static var words: [String] {
        (0..<penstock_argument_count()).map { index in
            // Below the count there are strings that live as long as the process.
            unsafe String(cString: penstock_argument(index))
        }
    }
}
