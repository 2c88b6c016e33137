package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis/daemon"
	"github.com/trellis-project/trellis/lab"
)

// upCommand is `trellis up`: the daemon with the guide's orders scenario played on it.
func upCommand() *cobra.Command {
	config, level := daemon.DefaultConfig(), slog.LevelWarn
	scenario, once := "orders", false
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run Trellis, play a scenario through its API, stay up until Ctrl-C",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := lab.Load(scenario)
			if err != nil {
				return usage(err)
			}
			if err := fitMachine(); err != nil {
				return err
			}
			d, err := newDaemon(config, level)
			if err != nil {
				return err
			}
			ctx, stop := context.WithCancel(cmd.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() {
				ended <- d.Run(ctx)
				stop() // whoever waits for a Trellis that failed would wait for ever
			}()
			failed := playOn(ctx, cmd, d, s, &config, once)
			if failed == nil && !once {
				<-ctx.Done()
			}
			stop()
			if err := <-ended; err != nil {
				return err
			}
			return failed
		},
	}
	configFlags(cmd, &config, &level)
	cmd.Flags().StringVar(&scenario, "scenario", scenario, "the scenario to play")
	cmd.Flags().BoolVar(&once, "once", false, "stop when the scenario has been played")
	if f := cmd.Flags().Lookup("log-level"); f != nil {
		f.DefValue = "WARN"
		_ = f.Value.Set("WARN")
	}
	return cmd
}

// playOn plays a scenario on a daemon that is starting and says how to reach it when it stays up.
func playOn(ctx context.Context, cmd *cobra.Command, d *daemon.Daemon, s *lab.Scenario, c *daemon.Config, once bool) error {
	out := cmd.OutOrStdout()
	endpoint, err := d.Endpoint(ctx)
	if err != nil {
		return nil // the daemon's own error says more
	}
	fmt.Fprintf(out, "Trellis is up at %s\n\n", endpoint)
	accounts, err := accountsOf(endpoint, c.CredentialsFile(), c.Region, "")
	if err != nil {
		return err
	}
	p, err := newPlayer(out, accounts)
	if err != nil {
		return err
	}
	vars, err := p.Play(ctx, s)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return err
	}
	if once {
		return nil
	}
	credentials, _ := filepath.Abs(c.CredentialsFile())
	fmt.Fprintf(out, `
Trellis stays up until Ctrl-C. From another shell:

  export AWS_ENDPOINT_URL=%s AWS_SHARED_CREDENTIALS_FILE=%s AWS_REGION=%s
  aws organizations list-accounts
`, endpoint, credentials, c.Region)
	if account := vars["account"]; account != "" && vars["checkout"] != "" {
		fmt.Fprintf(out, `  (eval "$(%s account credentials %s)"; aws vpc-lattice list-services)
  %s exec --account %s --instance %s -- curl -si http://%s/v1/orders/42
  %s exec --account %s --instance %s -- trellis request --sign http://%s/v1/orders/42
`, program(), account, program(), account, vars["checkout"], vars["dns"], program(), account, vars["checkout"], vars["dns"])
	}
	return nil
}
