// Package key is what the operations of KMS mean (KMS API reference and developer guide): keys whose material never leaves
// Trellis, their aliases, policies and grants, and what is encrypted, signed and authenticated by them. A key whose time has
// come is erased by whoever asks for it next.
package key

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// Keys is what the operations of KMS mean.
type Keys struct {
	*companion.Records
	Quotas quota.Limits
}

// New returns Keys. It starts nothing.
func New(o companion.Options) *Keys {
	return &Keys{companion.NewRecords(o), quota.Limits{Strict: o.Strict}}
}

// maxPolicy is how many bytes the policy of a key may have (KMS developer guide, quotas).
const maxPolicy = 32768

// room refuses one more of what a key has as many of as it may, have.
func (k *Keys) room(tx *store.Tx, key *trellis.Key, id quota.ID, have int, what string) error {
	limit, full, err := k.Quotas.Reached(tx, key.Account, id, have)
	if err == nil && full {
		return fault("LimitExceededException", "A key has at most %d %s.", limit, what)
	}
	return err
}

// fault is an error of KMS.
func fault(code, format string, args ...any) *trellis.Error {
	return trellis.NewError(400, code, format, args...)
}

// noKey is for a key that does not exist.
func noKey(arn string) *trellis.Error {
	return fault("NotFoundException", "Key '%s' does not exist", arn)
}

// dryRun is the code of the error that says that a trial succeeded.
const dryRun = "DryRunOperationException"

// The forms of identifiers.
var (
	keyIDForm = regexp.MustCompile(`^(mrk-[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$`)
	aliasForm = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]{1,250}$`)
)

// managedServices are those that have a key of their own in every account that asks for it, alias/aws/NAME (the services'
// user guides, encryption at rest).
var managedServices = []string{"acm", "backup", "dynamodb", "ebs", "ecr", "elasticfilesystem", "fsx", "glue", "kinesis", "kinesisfirehose", "lambda",
	"rds", "redshift", "s3", "secretsmanager", "sns", "sqs", "ssm"}

// name is how a request names a key: by its id, or by an alias.
type name struct {
	account, resource string // key/… or alias/…
	arn               string
}

// parse reads how a request of a caller names a key: an id, an alias, or the ARN of either.
func (k *Keys) parse(c *authpolicy.Caller, id string) (n name, err error) {
	n.account = c.Principal.Account
	switch {
	case strings.HasPrefix(id, "arn:"):
		a, err := trellis.ParseARN(id)
		if err != nil || a.Service != "kms" || !trellis.IsAccountID(a.Account) {
			return n, fault("InvalidArnException", "Invalid arn %s", id)
		}
		if a.Region != k.Region {
			return n, fault("NotFoundException", "Invalid arn %s", a.Region)
		}
		n.account, n.resource = a.Account, a.Resource
	case strings.HasPrefix(id, "alias/"):
		n.resource = id
	default:
		n.resource = "key/" + id
	}
	n.arn = trellis.ARN{Partition: "aws", Service: "kms", Region: k.Region, Account: n.account, Resource: n.resource}.String()
	switch bare, isKey := strings.CutPrefix(n.resource, "key/"); {
	case isKey && !keyIDForm.MatchString(bare):
		return n, fault("NotFoundException", "Invalid keyId '%s'", bare)
	case !isKey && !aliasForm.MatchString(n.resource):
		return n, fault("NotFoundException", "Alias %s is not found.", n.arn)
	}
	return n, nil
}

// isAlias tells whether the name is an alias.
func (n name) isAlias() bool { return strings.HasPrefix(n.resource, "alias/") }

// managed is the service of an alias/aws/NAME, empty for other names.
func (n name) managed() string {
	service, is := strings.CutPrefix(n.resource, "alias/aws/")
	if !is || !slices.Contains(managedServices, service) {
		return ""
	}
	return service
}

// dueError says that a key is to be erased now.
type dueError struct{ key *trellis.Key }

// Error is the error's text.
func (e *dueError) Error() string { return "the key " + e.key.ID + " is to be erased" }

// find reads a key by its name.
func (k *Keys) find(tx *store.Tx, n name) (*trellis.Key, error) {
	id := strings.TrimPrefix(n.resource, "key/")
	if n.isAlias() {
		a, err := companion.Get[*trellis.KeyAlias](tx, n.account+"/"+n.resource, fault("NotFoundException", "Alias %s is not found.", n.arn))
		if err != nil {
			return nil, err
		}
		id = a.KeyID
	}
	key, err := companion.Get[*trellis.Key](tx, n.account+"/"+id, noKey(n.arn))
	if err != nil {
		return nil, err
	}
	if k.due(key) {
		return nil, &dueError{key}
	}
	key.Spec, key.Usage = cmp.Or(key.Spec, trellis.KeySymmetric), cmp.Or(key.Usage, trellis.KeyEncrypts)
	return key, nil
}

// due tells whether the time of a key has come.
func (k *Keys) due(key *trellis.Key) bool {
	return key.State == trellis.KeyPendingDeletion && !key.DeletionDate.After(k.Now())
}

// use is how an operation uses a key.
type use struct {
	action     string                   // for example kms:Encrypt
	keys       map[string][]string      // condition keys in lower case
	tokens     []string                 // of grants, which must be good
	encryption map[string]string        // the encryption context
	making     *trellis.GrantTerms      // of the grant that the operation makes
	fits       func(*trellis.Key) error // refuses a key that the operation is not for
	usable     bool                     // only an enabled key will do
	alive      bool                     // not one that is pending deletion
	own        bool                     // never one of another account
	dry        bool                     // only tell whether it would succeed
}

// done ends an operation that succeeded: of a trial that is all that is told.
func (u use) done() error {
	if u.dry {
		return fault(dryRun, "The request would have succeeded, but the DryRun option is set.")
	}
	return nil
}

// get reads a key that its policy or a grant, and the caller's policies, allow an operation to use.
func (k *Keys) get(tx *store.Tx, c *authpolicy.Caller, id string, u use) (*trellis.Key, error) {
	n, err := k.parse(c, id)
	if err != nil {
		return nil, err
	}
	for _, t := range u.tokens {
		if _, err := k.redeem(tx, t); err != nil {
			return nil, err
		}
	}
	key, err := k.find(tx, n)
	if n.account != c.Principal.Account {
		e, is := errors.AsType[*trellis.Error](err)
		if _, due := errors.AsType[*dueError](err); due || is && e.Code == "NotFoundException" {
			return nil, k.denied(c, u.action, n) // nobody is told which keys others have
		}
		if err == nil && u.own {
			return nil, k.denied(c, u.action, n)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := k.allow(tx, c, key, n, u); err != nil {
		return nil, err
	}
	arn := key.ARN(k.Region)
	switch {
	case (u.usable || u.alive) && key.State == trellis.KeyPendingDeletion:
		return nil, fault("KMSInvalidStateException", "%s is pending deletion.", arn)
	case u.usable && key.State == trellis.KeyDisabled:
		return nil, fault("DisabledException", "%s is disabled.", arn)
	}
	if u.fits != nil {
		if err := u.fits(key); err != nil {
			return nil, err
		}
	}
	return key, nil
}

// allow asks the key's policy and the caller's: the key's must allow, and the caller's too where it speaks of the account or
// the account is another (KMS developer guide, policy evaluation). Where they leave it open, a grant may allow.
func (k *Keys) allow(tx *store.Tx, c *authpolicy.Caller, key *trellis.Key, n name, u use) error {
	extra, err := k.conditions(tx, c, key, n)
	if err != nil {
		return err
	}
	maps.Copy(extra, u.keys)
	r := k.request(c, u.action, key.ARN(k.Region), authpolicy.TagKeys(extra, nil, key.Tags))
	policy, err := authpolicy.Parse(key.Policy, authpolicy.Key)
	if err != nil { // what was kept is no policy any more: nobody may
		return trellis.Denied("%s", authpolicy.Decision{Layer: authpolicy.LayerResource}.Sentence(r))
	}
	d := authpolicy.Access(r, policy, key.Account)
	if d.Allowed {
		return nil
	}
	if !d.Explicit {
		if granted, err := k.granted(tx, r, policy, key, u); err != nil || granted {
			return err
		}
	}
	if n.account != c.Principal.Account {
		r.Resource = n.arn // nobody is told which key the alias of another has
	}
	return trellis.Denied("%s", strings.ToValidUTF8(d.Sentence(r), "?"))
}

// conditions are the condition keys that a key has for all operations (service authorization reference, KMS).
func (k *Keys) conditions(tx *store.Tx, c *authpolicy.Caller, key *trellis.Key, n name) (map[string][]string, error) {
	extra := kinds(key)
	extra["kms:calleraccount"] = []string{c.Principal.Account}
	if n.isAlias() {
		extra["kms:requestalias"] = []string{n.resource}
	}
	aliases, err := aliasesOf(tx, key)
	for _, a := range aliases {
		extra["kms:resourcealiases"] = append(extra["kms:resourcealiases"], a.ID)
	}
	return extra, err
}

// kinds are the condition keys that say what sort of key it is, also of one that is being made.
func kinds(key *trellis.Key) map[string][]string {
	keys := map[string][]string{"kms:keyspec": {string(key.Spec)}, "kms:customermasterkeyspec": {string(key.Spec)}, "kms:keyusage": {string(key.Usage)},
		"kms:customermasterkeyusage": {string(key.Usage)}, "kms:keyorigin": {"AWS_KMS"}, "kms:multiregion": {strconv.FormatBool(key.MultiRegion)}}
	if key.MultiRegion {
		keys["kms:multiregionkeytype"] = []string{"PRIMARY"}
	}
	return keys
}

// request is what policies are asked about.
func (k *Keys) request(c *authpolicy.Caller, action, arn string, extra map[string][]string) *authpolicy.Request {
	r := &authpolicy.Request{Action: action, Resource: arn, Caller: c, Extra: extra, Now: k.Now()}
	if a, err := trellis.ParseARN(arn); err == nil && c.Control != nil {
		r.ResourceControl = c.Control(a.Account)
	}
	return r
}

// denied is the refusal of a key of another account that nothing of it allows, or that it does not have.
func (k *Keys) denied(c *authpolicy.Caller, action string, n name) error {
	r := k.request(c, action, n.arn, nil)
	return trellis.Denied("%s", strings.ToValidUTF8(authpolicy.Access(r, nil, n.account).Sentence(r), "?"))
}

// read runs fn with a key that an operation may use. A key whose time has come is erased.
func (k *Keys) read(ctx context.Context, c *authpolicy.Caller, id string, u use, fn func(*store.Tx, *trellis.Key) error) error {
	if err := k.ensure(ctx, c, id); err != nil {
		return err
	}
	return k.erasing(ctx, k.Store.Read(ctx, func(tx *store.Tx) error {
		key, err := k.get(tx, c, id, u)
		if err != nil {
			return err
		}
		if err := fn(tx, key); err != nil {
			return err
		}
		return u.done()
	}))
}

// change is read for a change: what fn has made of the key is kept.
func (k *Keys) change(ctx context.Context, c *authpolicy.Caller, id string, u use, fn func(*store.Tx, *trellis.Key) error) (trellis.Revision, error) {
	if err := k.ensure(ctx, c, id); err != nil {
		return 0, err
	}
	u.own = true
	rev, err := k.Store.Commit(ctx, func(tx *store.Tx) error {
		key, err := k.get(tx, c, id, u)
		if err != nil {
			return err
		}
		if err := fn(tx, key); err != nil {
			return err
		}
		if err := u.done(); err != nil {
			return err
		}
		key.UpdatedAt = k.Time()
		tx.Put(key)
		return nil
	})
	return rev, k.erasing(ctx, err)
}

// erasing erases the key that an error is about whose time has come, with its aliases.
func (k *Keys) erasing(ctx context.Context, err error) error {
	due, is := errors.AsType[*dueError](err)
	if !is {
		return err
	}
	if err := k.erase(ctx, due.key); err != nil {
		return err
	}
	return noKey(due.key.ARN(k.Region))
}

// erase removes a key whose time has come, its grants, and its aliases.
func (k *Keys) erase(ctx context.Context, key *trellis.Key) error {
	if err := k.eraseGrants(ctx, key); err != nil {
		return err
	}
	_, err := k.Store.Commit(ctx, func(tx *store.Tx) error {
		key, err := store.Get[*trellis.Key](tx, key.Key())
		if errors.Is(err, trellis.ErrNotExist) || err == nil && !k.due(key) {
			return nil
		}
		if err != nil {
			return err
		}
		aliases, err := store.List[*trellis.KeyAlias](tx, key.Account+"/")
		for _, a := range aliases {
			if a.KeyID == key.ID {
				tx.Delete(a)
			}
		}
		tx.Delete(key)
		return err
	})
	return err
}

// NewKey is what CreateKey is told.
type NewKey struct {
	Description, Policy string
	Spec                trellis.KeySpec  // empty: KeySymmetric
	Usage               trellis.KeyUsage // empty: of symmetric keys
	MultiRegion, Bypass bool             // the latter: the policy may lock out who makes the key
	Tags                map[string]string
}

// Create makes a key.
func (k *Keys) Create(ctx context.Context, c *authpolicy.Caller, in NewKey) (key *trellis.Key, rev trellis.Revision, err error) {
	key, err = k.make(c, in)
	if err != nil {
		return nil, 0, err
	}
	actions := []string{"kms:CreateKey"}
	if len(in.Tags) > 0 {
		actions = append(actions, "kms:TagResource")
	}
	extra := kinds(key)
	extra["kms:bypasspolicylockoutsafetycheck"] = []string{strconv.FormatBool(in.Bypass)}
	for _, action := range actions {
		if err := c.Authorize(action, k.ARN(c, "kms", "key/*"), authpolicy.TagKeys(extra, in.Tags, nil)); err != nil {
			return nil, 0, err
		}
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, 0, err
	}
	if err := k.checkPolicy(c, key, key.Policy, in.Bypass || in.Policy == ""); err != nil {
		return nil, 0, err
	}
	have, err := companion.Count[*trellis.Key](ctx, k.Records, c.Principal.Account)
	if err != nil {
		return nil, 0, err
	}
	if err := k.renew(key, false); err != nil { // last: an RSA key takes its time
		return nil, 0, err
	}
	rev, err = k.Store.Commit(ctx, func(tx *store.Tx) error {
		err := quota.Room[*trellis.Key](tx, k.Quotas, c.Principal.Account, quota.Keys, have, func(limit int) *trellis.Error {
			return fault("LimitExceededException", "An account has at most %d keys.", limit)
		})
		if err != nil {
			return err
		}
		tx.Put(key)
		return nil
	})
	return key, rev, err
}

// make is a new key without material.
func (k *Keys) make(c *authpolicy.Caller, in NewKey) (*trellis.Key, error) {
	in.Spec = cmp.Or(in.Spec, trellis.KeySymmetric)
	if in.Usage == "" {
		if in.Spec != trellis.KeySymmetric {
			return nil, fault("ValidationException", "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
		}
		in.Usage = trellis.KeyEncrypts
	}
	s, known := specs[in.Spec]
	if !known {
		return nil, fault("UnsupportedOperationException", "Trellis makes no keys of the spec %s.", in.Spec)
	}
	if s.algorithms[in.Usage] == nil {
		return nil, fault("ValidationException", "KeyUsage %s is not compatible with KeySpec %s", in.Usage, in.Spec)
	}
	id := trellis.NewUUID()
	if in.MultiRegion {
		id = "mrk-" + trellis.RandomHex(32)
	}
	key := &trellis.Key{Meta: k.Meta(c, id, in.Tags), Spec: in.Spec, Usage: in.Usage, Description: in.Description, State: trellis.KeyEnabled, MultiRegion: in.MultiRegion, Policy: in.Policy}
	if key.Policy == "" {
		key.Policy = defaultPolicy(key.Account)
	}
	return key, nil
}

// renew gives a key new material.
func (k *Keys) renew(key *trellis.Key, onDemand bool) error {
	secret, err := specs[key.Spec].material()
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	key.Materials = append(key.Materials, trellis.KeyMaterial{ID: trellis.RandomHex(64), Secret: trellis.NewSecret(hex.EncodeToString(secret)), MadeAt: k.Time(), OnDemand: onDemand})
	return nil
}

// ensure makes the key of an alias/aws/NAME of the caller's account when it is asked for first.
func (k *Keys) ensure(ctx context.Context, c *authpolicy.Caller, id string) error {
	n, err := k.parse(c, id)
	service := n.managed()
	if err != nil || service == "" || n.account != c.Principal.Account {
		return nil // what is wrong is said when the key is looked for
	}
	exists := func(tx *store.Tx) (bool, error) {
		_, err := store.Get[*trellis.KeyAlias](tx, n.account+"/"+n.resource)
		if errors.Is(err, trellis.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	var there bool
	if err := k.Store.Read(ctx, func(tx *store.Tx) (err error) { there, err = exists(tx); return err }); err != nil || there {
		return err
	}
	_, err = k.Store.Commit(ctx, func(tx *store.Tx) error {
		if there, err := exists(tx); err != nil || there {
			return err
		}
		key, err := k.make(c, NewKey{Description: "Default key that protects my " + service + " resources when no other key is defined", Policy: managedPolicy(k.Region, n.account, service)})
		if err == nil {
			err = k.renew(key, false)
		}
		if err != nil {
			return err
		}
		key.Managed, key.RotationDays, key.RotationFrom = true, 365, key.CreatedAt
		tx.Put(key)
		tx.Put(&trellis.KeyAlias{Meta: k.Meta(c, n.resource, nil), KeyID: key.ID})
		return nil
	})
	return err
}

// Describe returns a key. tokens are of grants.
func (k *Keys) Describe(ctx context.Context, c *authpolicy.Caller, id string, tokens []string) (key *trellis.Key, err error) {
	err = k.read(ctx, c, id, use{action: "kms:DescribeKey", tokens: tokens}, func(_ *store.Tx, found *trellis.Key) error {
		key = found
		return nil
	})
	return key, err
}

// List returns the keys of the caller's account.
func (k *Keys) List(ctx context.Context, c *authpolicy.Caller) (all []*trellis.Key, err error) {
	err = k.Read(ctx, c, "kms:ListKeys", "*", nil, func(tx *store.Tx) error {
		all, err = store.List[*trellis.Key](tx, c.Principal.Account+"/")
		return err
	})
	var kept []*trellis.Key
	for _, key := range all {
		if !k.due(key) {
			kept = append(kept, key)
		} else if err := k.erase(ctx, key); err != nil {
			return nil, err
		}
	}
	return kept, err
}

// Change changes a key for an action; fn gets the key, which may be disabled, and not pending deletion. The policies of keys
// that AWS manages allow nobody to change them.
func (k *Keys) Change(ctx context.Context, c *authpolicy.Caller, action, id string, fn func(*trellis.Key) error) (trellis.Revision, error) {
	return k.change(ctx, c, id, use{action: action, alive: true}, func(_ *store.Tx, key *trellis.Key) error {
		return fn(key)
	})
}

// ScheduleDeletion has a key erased after some days, 7 to 30.
func (k *Keys) ScheduleDeletion(ctx context.Context, c *authpolicy.Caller, id string, days int) (key *trellis.Key, rev trellis.Revision, err error) {
	if days < 7 || days > 30 {
		return nil, 0, fault("ValidationException", "PendingWindowInDays must be from 7 to 30.")
	}
	u := use{action: "kms:ScheduleKeyDeletion", keys: map[string][]string{"kms:schedulekeydeletionpendingwindowindays": {strconv.Itoa(days)}}, alive: true}
	rev, err = k.change(ctx, c, id, u, func(_ *store.Tx, found *trellis.Key) error {
		key = found
		key.State, key.PendingDays, key.DeletionDate = trellis.KeyPendingDeletion, days, k.Time().Add(time.Duration(days)*24*time.Hour)
		return nil
	})
	return key, rev, err
}

// CancelDeletion keeps a key that was to be erased. It is disabled then.
func (k *Keys) CancelDeletion(ctx context.Context, c *authpolicy.Caller, id string) (key *trellis.Key, rev trellis.Revision, err error) {
	rev, err = k.change(ctx, c, id, use{action: "kms:CancelKeyDeletion"}, func(_ *store.Tx, found *trellis.Key) error {
		if key = found; key.State != trellis.KeyPendingDeletion {
			return fault("KMSInvalidStateException", "%s is not pending deletion.", key.ARN(k.Region))
		}
		key.State, key.PendingDays, key.DeletionDate = trellis.KeyDisabled, 0, time.Time{}
		return nil
	})
	return key, rev, err
}
