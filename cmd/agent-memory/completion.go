package main

import (
	"fmt"
	"os"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

// Run prints the lines that a shell's start is to have. The shell then asks this program, with COMP_LINE set to what was typed.
func (c completionCommand) Run(to streams) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the path of this program: %w", err)
	}
	switch c.Shell {
	case "bash":
		_, err = fmt.Fprintf(to.out, "complete -C %q %s\n", program, name)
	case "zsh":
		_, err = fmt.Fprintf(to.out, "autoload -U +X bashcompinit && bashcompinit\ncomplete -C %q %s\n", program, name)
	case "fish":
		_, err = fmt.Fprintf(to.out, `function __complete_%[2]s
    set -lx COMP_LINE (commandline -cp)
    test -z (commandline -ct)
    and set COMP_LINE "$COMP_LINE "
    %[1]q
end
complete -f -c %[3]s -a "(__complete_%[2]s)"
`, program, "agent_memory", name)
	}
	return err
}
