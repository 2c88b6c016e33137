package lab

import (
	"context"
	"fmt"
	"sync"

	"github.com/trellis-project/trellis/api/client"
)

// Accounts gives clients of the API for accounts of an organization: the management account's own
// credentials, and for every other account a session of its OrganizationAccountAccessRole.
type Accounts struct {
	management client.Options
	mu         sync.Mutex
	clients    map[string]*client.Client // by account
}

// NewAccounts returns Accounts whose own credentials are those of o.
func NewAccounts(o client.Options) *Accounts {
	return &Accounts{management: o, clients: map[string]*client.Client{}}
}

// Client returns a client with an account's credentials; the empty account is the management account.
// Sessions last an hour, longer than any scenario.
func (a *Accounts) Client(ctx context.Context, account string) (*client.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.clients[account]; c != nil {
		return c, nil
	}
	own := a.clients[""]
	if own == nil {
		own = client.New(a.management)
		a.clients[""] = own
	}
	if account == "" {
		return own, nil
	}
	o, err := Assume(ctx, own, a.management, "arn:aws:iam::"+account+":role/OrganizationAccountAccessRole", "lab")
	if err != nil {
		return nil, err
	}
	c := client.New(o)
	a.clients[account] = c
	return c, nil
}

// Assume returns base with the credentials of a session of a role.
func Assume(ctx context.Context, c *client.Client, base client.Options, roleARN, session string) (client.Options, error) {
	answer, err := c.Call(ctx, "sts", "AssumeRole", map[string]any{"RoleArn": roleARN, "RoleSessionName": session})
	if err != nil {
		return base, fmt.Errorf("assume %s: %w", roleARN, err)
	}
	creds, _ := answer["Credentials"].(map[string]any)
	base.AccessKeyID, base.SecretAccessKey, base.SessionToken = text(creds["AccessKeyId"]), text(creds["SecretAccessKey"]), text(creds["SessionToken"])
	if base.AccessKeyID == "" || base.SessionToken == "" {
		return base, fmt.Errorf("assume %s: the answer has no credentials", roleARN)
	}
	return base, nil
}
