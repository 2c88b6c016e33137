package identity

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/store"
)

// newKeyID makes the id of an access key: AKIA or ASIA and 16 letters and digits of base 32. The first ten tell the
// account, in the bits where AWS's ids have it, so that GetAccessKeyInfo can say whose a session's key is although
// sessions are kept nowhere: 1 bit that is set, 40 of the account, 39 by chance.
func newKeyID(prefix, account string) string {
	var b [10]byte
	id := newID("", 16)
	base32.StdEncoding.Decode(b[:], []byte(id)) // never fails: newID's alphabet is the same
	n, _ := strconv.ParseUint(account, 10, 64)  // an account is 12 digits
	n = 1<<40 | n&(1<<40-1)
	for bit := range 41 {
		at, mask := bit/8, byte(1)<<(7-bit%8)
		b[at] &^= mask
		if n>>(40-bit)&1 == 1 {
			b[at] |= mask
		}
	}
	return prefix + base32.StdEncoding.EncodeToString(b[:])
}

// accountOfKey reads the account out of an access key id; empty when it can't hold one.
func accountOfKey(id string) string {
	b, err := base32.StdEncoding.DecodeString(id[min(4, len(id)):])
	if err != nil || len(b) < 6 {
		return ""
	}
	var n uint64
	for _, octet := range b[:6] {
		n = n<<8 | uint64(octet)
	}
	if n = n >> 7 & (1<<40 - 1); n > 999999999999 {
		return ""
	}
	return fmt.Sprintf("%012d", n)
}

// AccessKeyAccount tells which account an access key belongs to, whoever asks (STS API reference, GetAccessKeyInfo).
func (i *Identity) AccessKeyAccount(ctx context.Context, c *authpolicy.Caller, id string) (account string, err error) {
	invalid := stsInvalid("Invalid access key id: %s", printable(id))
	if !strings.HasPrefix(id, "AKIA") && !strings.HasPrefix(id, "ASIA") {
		return "", invalid
	}
	err = i.read(ctx, c, "sts:GetAccessKeyInfo", "*", func(tx *store.Tx) error {
		k, err := store.Get[*trellis.AccessKey](tx, id)
		if err == nil {
			account = k.Account
			return nil
		}
		if !errors.Is(err, trellis.ErrNotExist) {
			return err
		}
		account = accountOfKey(id)
		_, err = store.Get[*trellis.Account](tx, account)
		if errors.Is(err, trellis.ErrNotExist) {
			return invalid
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return account, nil
}
