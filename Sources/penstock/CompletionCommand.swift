// `penstock completion`: what shells need to complete the command line.

/// Prints completions for a shell.
struct CompletionCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print completions of the command line for a shell.",
        discussion: """
            Packages install them. By hand, for the user's own shells:

              bash: penstock completion bash > ~/.local/share/bash-completion/completions/penstock
              zsh:  penstock completion zsh > ~/.zfunc/_penstock   # a folder that fpath has
              fish: penstock completion fish > ~/.config/fish/completions/penstock.fish
            """)

    /// The shells that there are completions for.
    enum Shell: String, CaseIterable, LosslessStringConvertible {
        case bash, zsh, fish

        var description: String { rawValue }

        init?(_ description: String) { self.init(rawValue: description) }
    }

    static var parameters: [Parameter<Self>] {
        let shells = Shell.allCases.map(\.rawValue)
        return [
            .argument(
                "shell", \.shell, "The shell: \(shells.joined(separator: ", ")).",
                kind: .words(shells))
        ]
    }

    var shell = Shell.bash

    func run() {
        let outline = Penstock.outline
        let text =
            switch shell {
            case .bash: BashCompletion(outline).text
            case .zsh: ZshCompletion(outline).text
            case .fish: FishCompletion(outline).text
            }
        print(text, terminator: "")
    }
}
