package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/daemon"
)

// reachFlags is how a verb reaches the API: by flags, else by the environment that the aws CLI reads, else by
// Trellis's defaults.
type reachFlags struct {
	endpoint, region, credentials string
}

// bind adds the flags to a command.
func (r *reachFlags) bind(cmd *cobra.Command) {
	def := daemon.DefaultConfig()
	cmd.Flags().StringVar(&r.endpoint, "endpoint", "", "URL of the API (default: AWS_ENDPOINT_URL, else http://"+def.Listen+")")
	cmd.Flags().StringVar(&r.region, "region", "", "region (default: AWS_REGION, else "+def.Region+")")
	cmd.Flags().StringVar(&r.credentials, "credentials", "", "credentials file (default: AWS_ACCESS_KEY_ID…, AWS_SHARED_CREDENTIALS_FILE, else "+def.CredentialsFile()+")")
}

// options finds endpoint, region and credentials.
func (r *reachFlags) options() (client.Options, error) {
	def := daemon.DefaultConfig()
	endpoint := cmp.Or(r.endpoint, os.Getenv("AWS_ENDPOINT_URL"), "http://"+def.Listen)
	region := cmp.Or(r.region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), def.Region)
	if id := os.Getenv("AWS_ACCESS_KEY_ID"); r.credentials == "" && id != "" {
		return client.Options{Endpoint: endpoint, Region: region, AccessKeyID: id,
			SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN")}, nil
	}
	return clientOptions(endpoint, cmp.Or(r.credentials, os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), def.CredentialsFile()), region)
}

// clientOptions reads a credentials file for a client.
func clientOptions(endpoint, file, region string) (client.Options, error) {
	o := client.Options{Endpoint: endpoint, Region: region}
	profile := cmp.Or(os.Getenv("AWS_PROFILE"), "default")
	values, err := readProfile(file, profile)
	if errors.Is(err, fs.ErrNotExist) {
		return o, fmt.Errorf("no credentials at %s: Trellis writes DIR/credentials at its first start; name the file with --credentials", file)
	}
	if err != nil {
		return o, err
	}
	o.AccessKeyID, o.SecretAccessKey, o.SessionToken = values["aws_access_key_id"], values["aws_secret_access_key"], values["aws_session_token"]
	if o.AccessKeyID == "" || o.SecretAccessKey == "" {
		return o, fmt.Errorf("%s has no access key in profile %s", file, profile)
	}
	return o, nil
}

// readProfile reads one profile of a file in the AWS shared-credentials format.
func readProfile(file, profile string) (map[string]string, error) {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	values, in := map[string]string{}, false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if name, ok := strings.CutPrefix(line, "["); ok {
			in = strings.TrimSuffix(name, "]") == profile
			continue
		}
		if name, value, ok := strings.Cut(line, "="); ok && in && !strings.HasPrefix(line, "#") {
			values[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return values, lines.Err()
}
