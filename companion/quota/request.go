package quota

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/store"
)

// Quotas is what the operations of Service Quotas mean.
type Quotas struct {
	*companion.Records
	limits Limits
}

// New returns Quotas. It starts nothing.
func New(o companion.Options) *Quotas {
	return &Quotas{companion.NewRecords(o), Limits{Strict: o.Strict}}
}

// Value is a quota as an account has it, or the default.
type Value struct {
	*Quota
	ARN   string // without an account when it is the default
	Value int
}

// Change is a request for a higher limit.
type Change struct {
	trellis.QuotaChange
	*Quota
	ARN string
}

// Errors of Service Quotas (Service Quotas API reference, common errors).
var (
	noService = trellis.NewError(400, "NoSuchResourceException", "The request failed because the specified service does not exist.")
	noQuota   = trellis.NewError(400, "NoSuchResourceException", "The request failed because the specified quota does not exist.")
	noRequest = trellis.NewError(400, "NoSuchResourceException", "The request failed because the specified quota request does not exist.")
)

// illegal is an IllegalArgumentException.
func illegal(format string, args ...any) *trellis.Error {
	return trellis.NewError(400, "IllegalArgumentException", format, args...)
}

// find finds a quota that Service Quotas lists.
func find(service, code string) (ID, error) {
	if services[service] == "" {
		return 0, noService
	}
	for id := range table {
		if table[id].Service == service && table[id].Code == code && code != "" {
			return ID(id), nil
		}
	}
	return 0, noQuota
}

// arn is the ARN of a quota; an empty account gives the default's.
func (s *Quotas) arn(q *Quota, account string) string {
	region := s.Region
	if q.Global {
		region = ""
	}
	return trellis.ARN{Partition: "aws", Service: "servicequotas", Region: region, Account: account, Resource: q.Service + "/" + q.Code}.String()
}

// Service is a service that has quotas.
type Service struct{ Code, Name string }

// Services returns the services that have quotas, by code.
func (s *Quotas) Services(c *authpolicy.Caller) ([]Service, error) {
	if err := c.Authorize("servicequotas:ListServices", "*", nil); err != nil {
		return nil, err
	}
	var all []Service
	for code, name := range services {
		all = append(all, Service{code, name})
	}
	slices.SortFunc(all, func(a, b Service) int { return cmp.Compare(a.Code, b.Code) })
	return all, nil
}

// Defaults is List of the defaults.
func (s *Quotas) Defaults(c *authpolicy.Caller, action, service, code string) ([]Value, error) {
	if err := c.Authorize(action, "*", nil); err != nil {
		return nil, err
	}
	return s.values(service, code, "", func(id ID) (int, error) { return s.limits.Default(id), nil })
}

// List returns the quotas of a service as the caller's account has them, or the one that code names, for an action that reads
// them.
func (s *Quotas) List(ctx context.Context, c *authpolicy.Caller, action, service, code string) (all []Value, err error) {
	err = s.Read(ctx, c, action, "*", nil, func(tx *store.Tx) error {
		all, err = s.values(service, code, c.Principal.Account, func(id ID) (int, error) { return s.limits.Of(tx, c.Principal.Account, id) })
		return err
	})
	return all, err
}

// values are the quotas of a service, or the one that code names.
func (s *Quotas) values(service, code, account string, of func(ID) (int, error)) ([]Value, error) {
	if code != "" {
		if _, err := find(service, code); err != nil {
			return nil, err
		}
	} else if services[service] == "" {
		return nil, noService
	}
	var all []Value
	for id := range table {
		q := &table[id]
		if q.Service != service || q.Code == "" || code != "" && q.Code != code {
			continue
		}
		n, err := of(ID(id))
		if err != nil {
			return nil, err
		}
		all = append(all, Value{q, s.arn(q, account), n})
	}
	return all, nil
}

// Request raises a quota of the caller's account, at once.
func (s *Quotas) Request(ctx context.Context, c *authpolicy.Caller, service, code string, to float64) (ch Change, rev trellis.Revision, err error) {
	account := c.Principal.Account
	resource := s.ARN(c, "servicequotas", service+"/"+code)
	rev, err = s.Commit(ctx, c, "servicequotas:RequestServiceQuotaIncrease", resource, map[string][]string{"servicequotas:service": {service}}, func(tx *store.Tx) error {
		id, err := find(service, code)
		if err != nil {
			return err
		}
		q := &table[id]
		now, err := s.limits.Of(tx, account, id)
		switch {
		case err != nil:
			return err
		case !q.Adjustable:
			return illegal("The quota %s (%s) is not adjustable.", q.Code, q.Name)
		case to != math.Trunc(to) || to > math.MaxInt32:
			return illegal("The value of a quota must be a whole number of at most %d.", math.MaxInt32)
		case int(to) <= now:
			return illegal("The value %d is not greater than the present value of the quota, which is %d.", int(to), now)
		}
		a, err := applied(tx, account, q)
		if err != nil {
			return err
		}
		if a == nil {
			a = &trellis.AppliedQuota{Meta: s.Meta(c, q.Service+"/"+q.Code, nil)}
		}
		who, err := json.Marshal(map[string]string{"accountId": account, "callerArn": c.Principal.ARN})
		if err != nil {
			return err
		}
		a.Value, a.UpdatedAt = int(to), s.Time()
		a.Changes = append(a.Changes, trellis.QuotaChange{ID: trellis.RandomHex(40), Value: a.Value, Requester: string(who), CreatedAt: a.UpdatedAt})
		ch = Change{a.Changes[len(a.Changes)-1], q, s.arn(q, account)}
		tx.Put(a)
		return nil
	})
	return ch, rev, err
}

// History returns what the caller's account has asked for, the newest first: of all services, of one, or of one quota.
func (s *Quotas) History(ctx context.Context, c *authpolicy.Caller, action, service, code string) (all []Change, err error) {
	err = s.Read(ctx, c, action, "*", nil, func(tx *store.Tx) error {
		all = nil
		if code != "" {
			if _, err := find(service, code); err != nil {
				return err
			}
		} else if service != "" && services[service] == "" {
			return noService
		}
		nouns, err := store.List[*trellis.AppliedQuota](tx, c.Principal.Account+"/"+service)
		for _, a := range nouns {
			of, its, _ := strings.Cut(a.ID, "/")
			id, err := find(of, its)
			if err != nil || service != "" && of != service || code != "" && its != code {
				continue
			}
			for _, ch := range a.Changes {
				all = append(all, Change{ch, &table[id], s.arn(&table[id], a.Account)})
			}
		}
		slices.SortFunc(all, func(a, b Change) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID)) })
		return err
	})
	return all, err
}

// Requested returns one request of the caller's account.
func (s *Quotas) Requested(ctx context.Context, c *authpolicy.Caller, id string) (Change, error) {
	all, err := s.History(ctx, c, "servicequotas:GetRequestedServiceQuotaChange", "", "")
	if err != nil {
		return Change{}, err
	}
	if i := slices.IndexFunc(all, func(ch Change) bool { return ch.ID == id }); i >= 0 {
		return all[i], nil
	}
	return Change{}, noRequest
}

// Tags returns the tags of a quota that the caller's account has raised: others have none.
func (s *Quotas) Tags(ctx context.Context, c *authpolicy.Caller, arn string) (tags map[string]string, err error) {
	err = s.Read(ctx, c, "servicequotas:ListTagsForResource", arn, nil, func(tx *store.Tx) error {
		a, err := s.named(tx, c, arn)
		if err == nil {
			tags = a.Tags
		}
		return err
	})
	return tags, err
}

// Tag gives a quota that the caller's account has raised tags.
func (s *Quotas) Tag(ctx context.Context, c *authpolicy.Caller, arn string, tags map[string]string) (trellis.Revision, error) {
	for k, v := range tags {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return 0, illegal("%s", fault)
		}
	}
	return s.changeTags(ctx, c, "servicequotas:TagResource", arn, authpolicy.TagKeys(nil, tags, nil), func(have map[string]string) map[string]string {
		return companion.WithTags(have, tags)
	})
}

// Untag takes tags from a quota.
func (s *Quotas) Untag(ctx context.Context, c *authpolicy.Caller, arn string, names []string) (trellis.Revision, error) {
	return s.changeTags(ctx, c, "servicequotas:UntagResource", arn, map[string][]string{"aws:tagkeys": names}, func(have map[string]string) map[string]string {
		return companion.WithoutTags(have, names)
	})
}

// changeTags changes the tags of a quota.
func (s *Quotas) changeTags(ctx context.Context, c *authpolicy.Caller, action, arn string, keys map[string][]string, change func(map[string]string) map[string]string) (trellis.Revision, error) {
	return s.Commit(ctx, c, action, arn, keys, func(tx *store.Tx) error {
		a, err := s.named(tx, c, arn)
		if err != nil {
			return err
		}
		if a.Tags = change(a.Tags); len(a.Tags) > trellis.MaxTags {
			return trellis.NewError(400, "TooManyTagsException", "A quota has at most %d tags.", trellis.MaxTags)
		}
		tx.Put(a)
		return nil
	})
}

// named reads the quota that an ARN names.
func (s *Quotas) named(tx *store.Tx, c *authpolicy.Caller, arn string) (*trellis.AppliedQuota, error) {
	a, err := trellis.ParseARN(arn)
	if err != nil || a.Service != "servicequotas" {
		return nil, illegal("%s is not the ARN of a quota.", arn)
	}
	service, code, _ := strings.Cut(a.Resource, "/")
	id, err := find(service, code)
	if err != nil {
		return nil, err
	}
	if arn != s.arn(&table[id], c.Principal.Account) {
		return nil, noQuota
	}
	return companion.Get[*trellis.AppliedQuota](tx, c.Principal.Account+"/"+a.Resource, noQuota)
}
