package client

import (
	"fmt"
	"os"
	"strings"

	"github.com/trellis-project/trellis"
)

// LoadCredentials reads a profile from a file in the format of AWS's shared credentials file.
func LoadCredentials(path, profile string) (Credentials, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Credentials{}, fmt.Errorf("read credentials: %w", err)
	}
	var c Credentials
	in := false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			in = strings.Trim(line, "[] ") == profile
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !in || !ok || strings.HasPrefix(line, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			c.AccessKeyID = value
		case "aws_secret_access_key":
			c.SecretAccessKey = trellis.NewSecret(value)
		case "aws_session_token":
			c.SessionToken = value
		}
	}
	if c.AccessKeyID == "" || c.SecretAccessKey.Reveal() == "" {
		return c, fmt.Errorf("%s has no access key for the profile %s", path, profile)
	}
	return c, nil
}
