package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/trellis-project/trellis"
)

// How long client tokens are kept: at least a day. Tokens of one hour share a lease, so that a token costs
// no write of its own.
const (
	tokenLease    = 25 * time.Hour
	tokenLeaseFor = time.Hour
)

// token is what is known of a client token that was used.
type token struct {
	Params [sha256.Size]byte `json:"params"` // digest of the parameters
	Key    string            `json:"key"`    // of the noun
}

// Once makes a noun once for a client token: the same token with the same parameters again, within a day,
// returns the noun as it now is, and with other parameters *TokenReusedError. scope is the account and
// operation that the token belongs to. make puts the noun in tx. A noun that was deleted meanwhile is made
// anew. An empty token just makes.
func Once[T trellis.Noun](tx *Tx, scope, clientToken string, params any, make func() (T, error)) (T, error) {
	if clientToken == "" {
		return make()
	}
	var zero T
	text, err := json.Marshal(params)
	if err != nil {
		return zero, fmt.Errorf("client token: %w", err)
	}
	t := token{Params: sha256.Sum256(text)}
	key := keyTokens + scope + "/" + clientToken
	b, err := tx.value(key)
	if err != nil {
		return zero, err
	}
	if b != nil {
		var before token
		if err := json.Unmarshal(b, &before); err != nil {
			return zero, fmt.Errorf("client token: %w", err)
		}
		if before.Params != t.Params {
			return zero, &TokenReusedError{clientToken, before.Key}
		}
		n, err := Get[T](tx, before.Key)
		if !errors.Is(err, trellis.ErrNotExist) {
			return n, err
		}
	}
	n, err := make()
	if err != nil {
		return zero, err
	}
	t.Key = n.Key()
	if b, err = json.Marshal(t); err != nil {
		return zero, fmt.Errorf("client token: %w", err)
	}
	lease, err := tx.s.tokenLease(tx.ctx)
	if err != nil {
		tx.broken = &etcdError{err}
		return zero, tx.broken
	}
	tx.set(key, write{value: b, lease: lease})
	return n, nil
}

// tokenLease returns the lease of this hour's tokens.
func (s *Store) tokenLease(ctx context.Context) (clientv3.LeaseID, error) {
	s.leaseMu.Lock()
	defer s.leaseMu.Unlock()
	if s.lease != 0 && time.Since(s.leaseAt) < tokenLeaseFor {
		return s.lease, nil
	}
	at := time.Now()
	resp, err := call(ctx, s, func(ctx context.Context, c *clientv3.Client) (*clientv3.LeaseGrantResponse, error) {
		return c.Grant(ctx, int64(tokenLease/time.Second))
	})
	if err != nil {
		return 0, err
	}
	s.lease, s.leaseAt = resp.ID, at
	return s.lease, nil
}

// forgetLease makes the next token take a new lease.
func (s *Store) forgetLease() {
	s.leaseMu.Lock()
	s.lease = 0
	s.leaseMu.Unlock()
}
