// Package hostedzone says what the operations of Route 53 mean: hosted zones, public and private, their records, and
// the VPCs that private zones answer in. How they answer is package routing's and dns's.
package hostedzone

import (
	"context"
	"crypto/rand"
	"errors"
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

// Zones is the hosted zones of all accounts. It is safe for concurrent use, and starts nothing.
type Zones struct {
	*companion.Records
	Quotas quota.Limits
}

// New returns the Zones of an installation.
func New(o companion.Options) *Zones {
	return &Zones{companion.NewRecords(o), quota.Limits{Strict: o.Strict}}
}

// Zone is a hosted zone with how many record sets it has.
type Zone struct {
	*trellis.HostedZone
	Records int
}

// Errors of Route 53 with its sentences (Route 53 API reference).

// noZone is for a zone that the caller cannot see.
func noZone(id string) *trellis.Error {
	return trellis.NewError(404, "NoSuchHostedZone", "No hosted zone found with ID: %s", id)
}

// invalidInput is for input that no other code is for.
func invalidInput(format string, args ...any) *trellis.Error {
	return trellis.NewError(400, "InvalidInput", format, args...)
}

// ownerSet is the set whose one member is the account of a zone, for those who know its id alone.
func ownerSet(id string) string { return "hostedzone/" + id }

// vpcSet is the set of the keys of the private zones that answer in a VPC.
func vpcSet(vpcID string) string { return "hostedzones/" + vpcID }

// vpcClaim is the claim that keeps a VPC from two private zones of a name.
func vpcClaim(vpcID, name string) string { return "hostedzone/" + vpcID + "/" + name }

// referenceClaim is the claim of a caller reference.
func referenceClaim(account, reference string) string {
	return "hostedzone/reference/" + account + "/" + reference
}

// letters are what ids of Route 53 are made of.
const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// newID returns a letter and n capital letters and digits.
func newID(first string, n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return first + string(b)
}

// Change is what became of a change: it is done when it is answered.
type Change struct {
	ID          string
	SubmittedAt time.Time
	Comment     string
}

// changeDigits is how many digits of a change's id tell when it was made.
const changeDigits = 9

// newChange makes a change. Its id tells when it was made, so that nothing is kept of it.
func (z *Zones) newChange(comment string) Change {
	now := z.Time()
	stamp := strings.ToUpper(strconv.FormatInt(now.UnixMilli(), 36))
	for len(stamp) < changeDigits {
		stamp = "0" + stamp
	}
	return Change{newID("C"+stamp, 11), now, comment}
}

// GetChange tells of a change by its id: INSYNC, since answers are given when it is done.
func (z *Zones) GetChange(c *authpolicy.Caller, id string) (Change, error) {
	id = strings.TrimPrefix(id, "/change/")
	if err := c.Authorize("route53:GetChange", "arn:aws:route53:::change/"+id, nil); err != nil {
		return Change{}, err
	}
	if stamp, ok := strings.CutPrefix(id, "C"); ok && len(stamp) == changeDigits+11 {
		if ms, err := strconv.ParseInt(stamp[:changeDigits], 36, 64); err == nil && ms >= 0 && ms <= z.Time().UnixMilli() {
			return Change{ID: id, SubmittedAt: time.UnixMilli(ms).UTC()}, nil
		}
	}
	return Change{}, trellis.NewError(404, "NoSuchChange", "A change with ID %s could not be found", id)
}

// New zones.

// Input is what CreateHostedZone takes. VPC is nil for a public zone.
type Input struct {
	Name, CallerReference, Comment string
	Private                        bool
	VPC                            *trellis.ZoneVPC
}

// Create makes a zone with its NS and SOA records.
func (z *Zones) Create(ctx context.Context, c *authpolicy.Caller, in Input) (made Zone, change Change, rev trellis.Revision, err error) {
	n := &trellis.HostedZone{Meta: z.Meta(c, newID("Z", 20), nil), CallerReference: in.CallerReference, Comment: in.Comment, Private: in.VPC != nil}
	if n.Name, err = zoneName(in.Name); err != nil {
		return made, change, 0, err
	}
	if in.Private && in.VPC == nil {
		return made, change, 0, invalidInput("When you're creating a private hosted zone (when you specify true for PrivateZone), you must also specify values for VPCId and VPCRegion.")
	}
	have, err := companion.Count[*trellis.HostedZone](ctx, z.Records, n.Account)
	if err != nil {
		return made, change, 0, err
	}
	rev, err = z.Commit(ctx, c, "route53:CreateHostedZone", "*", vpcKeys(in.VPC), func(tx *store.Tx) error {
		n.VPCs = nil
		exists := trellis.NewError(409, "HostedZoneAlreadyExists", "A hosted zone has already been created with the specified caller reference.")
		if err := companion.Claim(tx, referenceClaim(n.Account, n.CallerReference), n.Key(), exists); err != nil {
			return err
		}
		err := quota.Room[*trellis.HostedZone](tx, z.Quotas, n.Account, quota.HostedZones, have, func(int) *trellis.Error {
			return trellis.NewError(400, "TooManyHostedZones", "This operation can't be completed because the current account has reached the limit on the number of hosted zones.")
		})
		if err != nil {
			return err
		}
		if in.VPC != nil {
			if err := z.ownVPC(tx, c, *in.VPC); err != nil {
				return err
			}
			if err := associate(tx, n, trellis.ZoneVPC{Region: in.VPC.Region, VPC: trellis.Ref{Account: n.Account, ID: in.VPC.VPC.ID}}); err != nil {
				return err
			}
		}
		tx.Mark(ownerSet(n.ID), n.Account)
		tx.Put(n)
		for _, set := range begin(n) {
			tx.Put(set)
		}
		return nil
	})
	return Zone{n, 2}, z.newChange(in.Comment), rev, err
}

// zoneName is the name of a zone as it is kept.
func zoneName(name string) (string, error) {
	kept, err := trellis.RecordName(name)
	if err != nil || kept == "." || strings.HasPrefix(kept, `\052.`) {
		return "", trellis.NewError(400, "InvalidDomainName", "%s is not a valid domain name", name)
	}
	return kept, nil
}

// begin makes the records that every zone has (Route 53 developer guide, SOA-NSrecords).
func begin(n *trellis.HostedZone) []*trellis.RecordSet {
	servers := n.NameServers()
	values := make([]string, len(servers))
	for i, s := range servers {
		values[i] = s + "."
	}
	make := func(kind string, ttl int64, values ...string) *trellis.RecordSet {
		return &trellis.RecordSet{Meta: trellis.Meta{Account: n.Account, ID: trellis.RecordSetID(n.Name, kind, ""), CreatedAt: n.CreatedAt, UpdatedAt: n.UpdatedAt},
			ZoneID: n.ID, Name: n.Name, Type: kind, TTL: ttl, Values: values}
	}
	return []*trellis.RecordSet{make("NS", 172800, values...), make("SOA", 900, values[0]+" awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400")}
}

// get reads a zone of the caller's account.
func get(tx *store.Tx, c *authpolicy.Caller, id string) (*trellis.HostedZone, error) {
	return companion.Get[*trellis.HostedZone](tx, c.Principal.Account+"/"+id, noZone(id))
}

// counted adds how many record sets a zone has.
func counted(tx *store.Tx, n *trellis.HostedZone) (Zone, error) {
	records, err := store.Count[*trellis.RecordSet](tx, n.Key()+"/")
	return Zone{n, records}, err
}

// ID is the bare id of a zone, which clients may write /hostedzone/Z….
func ID(id string) string { return strings.TrimPrefix(strings.TrimPrefix(id, "/"), "hostedzone/") }

// Find returns a zone. action is what a policy calls it.
func (z *Zones) Find(ctx context.Context, c *authpolicy.Caller, action, id string) (found Zone, err error) {
	id = ID(id)
	err = z.Read(ctx, c, action, trellis.HostedZoneARN(id), nil, func(tx *store.Tx) error {
		n, err := get(tx, c, id)
		if err != nil {
			return err
		}
		found, err = counted(tx, n)
		return err
	})
	return found, err
}

// List returns the zones of the caller's account, by name as Route 53 orders names. action is what a policy calls it.
func (z *Zones) List(ctx context.Context, c *authpolicy.Caller, action string) (all []Zone, err error) {
	err = z.Read(ctx, c, action, "*", nil, func(tx *store.Tx) error {
		list, err := store.List[*trellis.HostedZone](tx, c.Principal.Account+"/")
		if err != nil {
			return err
		}
		all = make([]Zone, len(list))
		for i, n := range list {
			if all[i], err = counted(tx, n); err != nil {
				return err
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Zone) int {
		if order := trellis.CompareRecordNames(a.Name, b.Name); order != 0 {
			return order
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all, err
}

// UpdateComment changes the comment of a zone.
func (z *Zones) UpdateComment(ctx context.Context, c *authpolicy.Caller, id, comment string) (found Zone, rev trellis.Revision, err error) {
	id = ID(id)
	rev, err = z.Commit(ctx, c, "route53:UpdateHostedZoneComment", trellis.HostedZoneARN(id), nil, func(tx *store.Tx) error {
		n, err := get(tx, c, id)
		if err != nil {
			return err
		}
		n.Comment, n.UpdatedAt = comment, z.Time()
		tx.Put(n)
		found, err = counted(tx, n)
		return err
	})
	return found, rev, err
}

// Delete removes a zone that has no records but its NS and SOA.
func (z *Zones) Delete(ctx context.Context, c *authpolicy.Caller, id string) (change Change, rev trellis.Revision, err error) {
	id = ID(id)
	rev, err = z.Commit(ctx, c, "route53:DeleteHostedZone", trellis.HostedZoneARN(id), nil, func(tx *store.Tx) error {
		n, err := get(tx, c, id)
		if err != nil {
			return err
		}
		sets, _, err := store.Page[*trellis.RecordSet](tx, n.Key()+"/", "", 3)
		if err != nil {
			return err
		}
		for _, set := range sets {
			if !required(n, set) {
				return trellis.NewError(400, "HostedZoneNotEmpty", "The specified hosted zone contains non-required resource record sets  and so cannot be deleted.")
			}
			tx.Delete(set)
		}
		for _, v := range n.VPCs {
			dissociate(tx, n, v.VPC)
		}
		tx.Release(referenceClaim(n.Account, n.CallerReference))
		tx.Unmark(ownerSet(n.ID), n.Account)
		tx.Delete(n)
		return nil
	})
	return z.newChange(""), rev, err
}

// required tells whether a record set is one that its zone always has.
func required(n *trellis.HostedZone, set *trellis.RecordSet) bool {
	return set.Name == n.Name && (set.Type == "NS" || set.Type == "SOA")
}

// Tags returns the tags of zones of the caller's account. action is what a policy calls it.
func (z *Zones) Tags(ctx context.Context, c *authpolicy.Caller, action string, ids []string) (tags []map[string]string, err error) {
	for _, id := range ids {
		err = errors.Join(err, c.Authorize(action, trellis.HostedZoneARN(id), nil))
	}
	if err != nil {
		return nil, err
	}
	err = z.Store.Read(ctx, func(tx *store.Tx) error {
		tags = nil
		for _, id := range ids {
			n, err := get(tx, c, id)
			if err != nil {
				return err
			}
			tags = append(tags, n.Tags)
		}
		return nil
	})
	return tags, err
}

// maxTags is how many tags a zone may have (Route 53 API, ChangeTagsForResource).
const maxTags = 10

// ChangeTags adds tags to a zone and removes others.
func (z *Zones) ChangeTags(ctx context.Context, c *authpolicy.Caller, id string, add map[string]string, remove []string) (trellis.Revision, error) {
	for k, v := range add {
		if fault := trellis.CheckTag(k, v); fault != "" {
			return 0, invalidInput("%s", fault)
		}
	}
	return z.Commit(ctx, c, "route53:ChangeTagsForResource", trellis.HostedZoneARN(id), authpolicy.TagKeys(nil, add, nil), func(tx *store.Tx) error {
		n, err := get(tx, c, id)
		if err != nil {
			return err
		}
		n.Tags = companion.WithTags(companion.WithoutTags(n.Tags, remove), add)
		if len(n.Tags) > maxTags {
			return invalidInput("A hosted zone has at most %d tags.", maxTags)
		}
		n.UpdatedAt = z.Time()
		tx.Put(n)
		return nil
	})
}
