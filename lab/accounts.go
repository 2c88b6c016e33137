package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/client"
)

// Accounts gives clients of the API for accounts of an organization: the management account's own
// credentials, and for every other account a session of its OrganizationAccountAccessRole.
type Accounts struct {
	endpoint, region string
	management       client.Credentials

	mu       sync.Mutex
	sessions map[string]client.Credentials // by account
}

// NewAccounts returns Accounts whose own credentials are the management account's.
func NewAccounts(endpoint string, management client.Credentials, region string) *Accounts {
	return &Accounts{endpoint: endpoint, region: region, management: management, sessions: map[string]client.Credentials{}}
}

// Region is the region of the endpoint.
func (a *Accounts) Region() string { return a.region }

// Client returns a client with an account's credentials; the empty account is the management account.
func (a *Accounts) Client(ctx context.Context, account string) (*client.Client, error) {
	c, err := a.Credentials(ctx, account)
	if err != nil {
		return nil, err
	}
	return client.New(a.endpoint, c, a.region)
}

// Credentials returns an account's credentials. Sessions last an hour, longer than any scenario.
func (a *Accounts) Credentials(ctx context.Context, account string) (client.Credentials, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if account == "" {
		return a.management, nil
	}
	if s, ok := a.sessions[account]; ok {
		return s, nil
	}
	own, err := client.New(a.endpoint, a.management, a.region)
	if err != nil {
		return client.Credentials{}, err
	}
	s, err := Assume(ctx, own, trellis.IAMARN(account, "role/OrganizationAccountAccessRole"), "lab")
	var refused *trellis.Error
	if errors.As(err, &refused) && refused.Code == "AccessDenied" {
		if who, err := own.Call(ctx, "sts", "GetCallerIdentity", nil); err == nil && who["Account"] == account {
			return a.management, nil // nobody need become who they are
		}
		return s, fmt.Errorf("%w; only the management account's administrator may, in an account of the organization: aws organizations list-accounts", err)
	}
	if err == nil {
		a.sessions[account] = s
	}
	return s, err
}

// Assume returns the credentials of a new session of a role.
func Assume(ctx context.Context, c *client.Client, roleARN, session string) (client.Credentials, error) {
	answer, err := c.Call(ctx, "sts", "AssumeRole", map[string]any{"RoleArn": roleARN, "RoleSessionName": session})
	if err != nil {
		return client.Credentials{}, fmt.Errorf("assume %s: %w", roleARN, err)
	}
	creds, _ := answer["Credentials"].(map[string]any)
	s := client.Credentials{AccessKeyID: text(creds["AccessKeyId"]), SecretAccessKey: trellis.NewSecret(text(creds["SecretAccessKey"])), SessionToken: text(creds["SessionToken"])}
	if s.AccessKeyID == "" || s.SessionToken == "" {
		return s, fmt.Errorf("assume %s: the answer has no credentials", roleARN)
	}
	return s, nil
}
