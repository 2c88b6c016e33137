package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/daemon"
	"github.com/trellis-project/trellis/lab"
)

// reachFlags is how a verb reaches the API: by flags, else by the environment that the aws CLI reads, else by
// Trellis's defaults.
type reachFlags struct {
	endpoint, region, credentials string
	profile                       string // of the credentials file; only some verbs have the flag
}

// bind adds the flags to a command.
func (r *reachFlags) bind(cmd *cobra.Command) {
	def := daemon.DefaultConfig()
	r.bindEndpoint(cmd)
	cmd.Flags().StringVar(&r.region, "region", "", "region (default: AWS_REGION, else "+def.Region+")")
	cmd.Flags().StringVar(&r.credentials, "credentials", "", "credentials file (default: AWS_ACCESS_KEY_ID…, AWS_SHARED_CREDENTIALS_FILE, else "+def.CredentialsFile()+")")
}

// bindEndpoint adds only the flag that says where the API is.
func (r *reachFlags) bindEndpoint(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.endpoint, "endpoint", "", "URL of the API (default: AWS_ENDPOINT_URL, else http://"+daemon.DefaultConfig().Listen+")")
}

// url is where the API is.
func (r *reachFlags) url() string {
	return cmp.Or(r.endpoint, os.Getenv("AWS_ENDPOINT_URL"), "http://"+daemon.DefaultConfig().Listen)
}

// accounts finds endpoint, region and credentials.
func (r *reachFlags) accounts() (*lab.Accounts, error) {
	def := daemon.DefaultConfig()
	endpoint := r.url()
	region := cmp.Or(r.region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), def.Region)
	if id := os.Getenv("AWS_ACCESS_KEY_ID"); r.credentials == "" && r.profile == "" && id != "" {
		return lab.NewAccounts(endpoint, client.Credentials{AccessKeyID: id,
			SecretAccessKey: trellis.NewSecret(os.Getenv("AWS_SECRET_ACCESS_KEY")), SessionToken: os.Getenv("AWS_SESSION_TOKEN")}, region), nil
	}
	return accountsOf(endpoint, cmp.Or(r.credentials, os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), def.CredentialsFile()), region, r.profile)
}

// client returns a client of one's own account.
func (r *reachFlags) client(ctx context.Context) (*client.Client, error) {
	a, err := r.accounts()
	if err != nil {
		return nil, err
	}
	return a.Client(ctx, "")
}

// accountsOf reads a profile of a credentials file; without one AWS_PROFILE, else default.
func accountsOf(endpoint, file, region, profile string) (*lab.Accounts, error) {
	c, err := client.LoadCredentials(file, cmp.Or(profile, os.Getenv("AWS_PROFILE"), "default"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no credentials at %s: Trellis writes DIR/credentials at its first start; name the file with --credentials", file)
	}
	if err != nil {
		return nil, err
	}
	return lab.NewAccounts(endpoint, c, region), nil
}
