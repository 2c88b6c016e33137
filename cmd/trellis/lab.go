package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis/daemon"
	"github.com/trellis-project/trellis/lab"
)

// labCommand is `trellis lab`: play a scenario on a Trellis that runs.
func labCommand() *cobra.Command {
	var reach reachFlags
	cmd := &cobra.Command{
		Use:       "lab SCENARIO",
		Short:     "Play a scenario on a running Trellis: " + strings.Join(lab.Names(), ", "),
		Args:      oneArgument("a scenario: " + strings.Join(lab.Names(), ", ")),
		ValidArgs: lab.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := lab.Load(args[0])
			if err != nil {
				return usage(err)
			}
			accounts, err := reach.accounts()
			if err != nil {
				return err
			}
			p, err := newPlayer(cmd.OutOrStdout(), accounts)
			if err != nil {
				return err
			}
			if _, err := p.Play(cmd.Context(), s); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "\n%s: all as expected\n", s.Name)
			return nil
		},
	}
	reach.bind(cmd)
	return cmd
}

// newPlayer returns a player of scenarios with the credentials of the management account.
func newPlayer(out io.Writer, accounts *lab.Accounts) (*lab.Player, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the trellis program: %w", err)
	}
	return &lab.Player{Accounts: accounts, Program: self, Endpoint: daemon.InsideEndpoint, Out: out}, nil
}

// program is how this program was called, for commands to copy.
func program() string {
	if strings.ContainsRune(os.Args[0], '/') {
		return os.Args[0]
	}
	return "trellis"
}
