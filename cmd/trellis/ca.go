package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis/api/client"
)

// caCommand is `trellis ca`: the certificate that clients of HTTPS listeners trust.
func caCommand() *cobra.Command {
	var reach reachFlags
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Print the certificate of Trellis' own authority, in PEM",
		Long: `Print the certificate of this Trellis' own authority, in PEM. It has issued the certificates of generated domain names
and those that acm:RequestCertificate gives; who trusts it can call those services by HTTPS. It is also in the file
ca.pem of the data directory, at /ca.pem of the API's endpoint, and in the file that the environment variable TRELLIS_CA
names inside of trellis exec. It comes unprotected: get it over a connection that you trust.`,
		Example: `  trellis ca > ca.pem && curl --cacert ca.pem https://…
  trellis exec --vpc vpc-0123456789abcdef0 -- sh -c 'curl --cacert $TRELLIS_CA https://…'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := client.New(reach.url(), client.Credentials{}, "")
			if err != nil {
				return err
			}
			root, err := c.Root(cmd.Context())
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(root)
			return err
		},
	}
	reach.bindEndpoint(cmd)
	return cmd
}

// rootFile writes the certificate of Trellis' authority to a file for a command inside of a VPC.
func rootFile(root []byte) (path string, err error) {
	f, err := os.CreateTemp("", "trellis-ca-*.pem")
	if err != nil {
		return "", err
	}
	_, err = f.Write(root)
	if err == nil {
		err = f.Chmod(0o644) // the command may run as somebody else
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return f.Name(), err
}
