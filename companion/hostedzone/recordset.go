package hostedzone

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// maxChangedValues and maxChangedText bound a batch: values, those of UPSERT counted twice, and their characters (Route
// 53 developer guide, limits).
const (
	maxChangedValues = 1000
	maxChangedText   = 32_000
)

// SetChange is one change of a batch: CREATE, UPSERT or DELETE of a record set.
type SetChange struct {
	Action string
	Set    trellis.RecordSet // Name as the client wrote it, Account, ZoneID and ID empty
}

// invalidBatch is for a batch that is not done, with a sentence for each reason.
func invalidBatch(reasons []string) *trellis.Error {
	return trellis.NewError(400, "InvalidChangeBatch", "[%s]", strings.Join(reasons, ", "))
}

// described is how Route 53 names a record set in its sentences.
func described(s *trellis.RecordSet) string {
	text := "[name='" + s.Name + "', type='" + s.Type + "'"
	if s.SetIdentifier != "" {
		text += ", set identifier='" + s.SetIdentifier + "'"
	}
	return text + "]"
}

// ChangeSets does all changes of a batch, or none.
func (z *Zones) ChangeSets(ctx context.Context, c *authpolicy.Caller, id string, changes []SetChange, comment string) (Change, trellis.Revision, error) {
	id = ID(id)
	keys := map[string][]string{}
	values, text := 0, 0
	for i := range changes {
		s := &changes[i].Set
		name, err := trellis.RecordName(s.Name)
		if err != nil {
			return Change{}, 0, invalidBatch([]string{"Invalid Resource Record: FATAL problem: DomainLabelInvalid (Domain label is not valid) encountered with '" + s.Name + "'"})
		}
		s.Name, s.Type = name, strings.ToUpper(s.Type)
		for key, value := range map[string]string{"route53:changeresourcerecordsetsnormalizedrecordnames": strings.TrimSuffix(strings.ReplaceAll(name, `\052`, "*"), "."),
			"route53:changeresourcerecordsetsrecordtypes": s.Type, "route53:changeresourcerecordsetsactions": changes[i].Action} {
			if !slices.Contains(keys[key], value) {
				keys[key] = append(keys[key], value)
			}
		}
		times := 1
		if changes[i].Action == "UPSERT" {
			times = 2
		}
		values += times * max(len(s.Values), 1)
		for _, v := range s.Values {
			text += times * len(v)
		}
	}
	if values > maxChangedValues {
		return Change{}, 0, invalidBatch([]string{"Number of records limit of 1000 exceeded."})
	}
	if text > maxChangedText {
		return Change{}, 0, invalidBatch([]string{"RDATA character limit of 32000 exceeded."})
	}
	rev, err := z.Commit(ctx, c, "route53:ChangeResourceRecordSets", trellis.HostedZoneARN(id), keys, func(tx *store.Tx) error {
		n, err := get(tx, c, id)
		if err != nil {
			return err
		}
		b := &batch{zones: z, tx: tx, zone: n, named: map[string][]*trellis.RecordSet{}, was: map[string]*trellis.RecordSet{}}
		if err := b.apply(changes); err != nil {
			return err
		}
		if len(b.reasons) > 0 {
			return invalidBatch(b.reasons)
		}
		return nil
	})
	return z.newChange(comment), rev, err
}

// batch is a batch that is being done. Reasons why it can't be are collected, since Route 53 tells all.
type batch struct {
	zones   *Zones
	tx      *store.Tx
	zone    *trellis.HostedZone
	named   map[string][]*trellis.RecordSet // as they will be, by name: those that the batch touches
	was     map[string]*trellis.RecordSet   // by key, of those names
	reasons []string
}

// refuse notes a reason.
func (b *batch) refuse(text ...string) { b.reasons = append(b.reasons, strings.Join(text, "")) }

// load reads the record sets of a name.
func (b *batch) load(name string) error {
	if _, done := b.named[name]; done {
		return nil
	}
	list, err := store.List[*trellis.RecordSet](b.tx, b.zone.Key()+"/"+trellis.RecordSetsOf(name))
	if err != nil {
		return err
	}
	b.named[name] = []*trellis.RecordSet{}
	for _, s := range list {
		b.was[s.Key()] = s
		b.named[name] = append(b.named[name], s)
	}
	return nil
}

// apply does the changes: deletes come first, so that a batch may replace a record by one of another type.
func (b *batch) apply(changes []SetChange) error {
	seen := map[string]bool{}
	for i := range changes {
		s := &changes[i].Set
		s.Account, s.ZoneID = b.zone.Account, b.zone.ID
		s.ID = trellis.RecordSetID(s.Name, s.Type, s.SetIdentifier)
		if a := s.Alias; a != nil { // with or without the final dot, a name is the same
			if name, err := trellis.RecordName(a.Name); err == nil {
				a.Name = name
			}
		}
		once := changes[i].Action + s.ID
		if changes[i].Action == "UPSERT" {
			once = "CREATE" + s.ID
		}
		if seen[once] {
			b.refuse("The request contains an invalid set of changes for a resource record set '", s.Type, " ", s.Name, "'")
		}
		seen[once] = true
		if s.Name != b.zone.Name && !strings.HasSuffix(s.Name, "."+b.zone.Name) {
			b.refuse("RRSet with DNS name ", s.Name, " is not permitted in zone ", b.zone.Name)
			continue
		}
		if err := b.load(s.Name); err != nil {
			return err
		}
		if changes[i].Action == "DELETE" {
			b.delete(s)
		}
	}
	for i := range changes {
		if s := &changes[i].Set; changes[i].Action != "DELETE" && b.named[s.Name] != nil {
			b.put(s, changes[i].Action == "CREATE")
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(b.named), trellis.CompareRecordNames) {
		if err := b.settle(name); err != nil {
			return err
		}
	}
	return b.bound()
}

// find is the place of the record set of a key among those of its name, -1 when there is none.
func (b *batch) find(s *trellis.RecordSet) int {
	return slices.IndexFunc(b.named[s.Name], func(o *trellis.RecordSet) bool { return o.ID == s.ID })
}

// delete takes a record set away, which must be as the change says.
func (b *batch) delete(s *trellis.RecordSet) {
	i := b.find(s)
	switch {
	case i < 0:
		b.refuse("Tried to delete resource record set ", described(s), " but it was not found")
		return
	case !same(b.named[s.Name][i], s):
		b.refuse("Tried to delete resource record set ", described(s), " but the values provided do not match the current values")
		return
	}
	b.named[s.Name] = slices.Delete(b.named[s.Name], i, i+1)
}

// same tells whether two record sets say the same, values in whatever order.
func same(a, b *trellis.RecordSet) bool {
	x, y := *a, *b
	x.Meta, y.Meta = trellis.Meta{}, trellis.Meta{}
	x.Values, y.Values = slices.Sorted(slices.Values(a.Values)), slices.Sorted(slices.Values(b.Values))
	return reflect.DeepEqual(x, y)
}

// put makes a record set, or replaces it unless it must be new.
func (b *batch) put(s *trellis.RecordSet, isNew bool) {
	for _, reason := range faults(s) {
		b.refuse(reason)
	}
	s.CreatedAt, s.UpdatedAt = b.zones.Time(), b.zones.Time()
	i := b.find(s)
	switch {
	case i >= 0 && isNew:
		b.refuse("Tried to create resource record set ", described(s), " but it already exists")
	case i >= 0:
		s.CreatedAt = b.named[s.Name][i].CreatedAt
		b.named[s.Name][i] = s
	default:
		b.named[s.Name] = append(b.named[s.Name], s)
	}
}

// settle holds the record sets of a name against each other, and writes what is another one.
func (b *batch) settle(name string) error {
	sets, zone := b.named[name], b.zone.Name
	kinds := map[string][]*trellis.RecordSet{}
	for _, s := range sets {
		kinds[s.Type] = append(kinds[s.Type], s)
		if s.Alias != nil && ID(s.Alias.ZoneID) == b.zone.ID {
			if err := b.target(s); err != nil {
				return err
			}
		}
		if b.was[s.Key()] != s {
			b.tx.Put(s)
		}
	}
	for _, was := range b.was {
		if was.Name == name && b.find(was) < 0 {
			b.tx.Delete(was)
		}
	}
	if len(kinds["CNAME"]) > 0 && name == zone {
		b.refuse("RRSet of type CNAME with DNS name ", name, " is not permitted at apex in zone ", zone)
	} else if len(kinds["CNAME"]) > 0 && len(kinds) > 1 {
		b.refuse("RRSet of type CNAME with DNS name ", name, " is not permitted as it conflicts with other records with the same DNS name in zone ", zone)
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		for _, s := range kinds[kind][1:] {
			if first := kinds[kind][0]; routed(first) != routed(s) {
				b.refuse("RRSet with DNS name ", name, ", type ", kind, ", SetIdentifier ", cmp.Or(s.SetIdentifier, first.SetIdentifier), " cannot be created as other RRSets exist with the same name and type.")
				break
			}
		}
	}
	if name == zone {
		if len(kinds["NS"]) == 0 {
			b.refuse("A HostedZone must contain at least one NS record for the zone itself.")
		}
		if len(kinds["SOA"]) != 1 {
			b.refuse("A HostedZone must contain exactly one SOA record.")
		}
	} else if len(kinds["SOA"]) > 0 {
		b.refuse("RRSet of type SOA with DNS name ", name, " is not permitted in zone ", zone)
	}
	return nil
}

// target refuses an alias to a record of the same zone that isn't there.
func (b *batch) target(s *trellis.RecordSet) error {
	name := s.Alias.Name
	if name != b.zone.Name && !strings.HasSuffix(name, "."+b.zone.Name) {
		b.refuse("Tried to create an alias that targets ", name, ", type ", s.Type, " in zone ", b.zone.ID, ", but the alias target name does not lie within the target zone")
		return nil
	}
	if name == s.Name {
		b.refuse("RRSet with DNS name ", name, ", type ", s.Type, " is not permitted as an alias of itself.")
		return nil
	}
	targets, read := b.named[name], b.named[name] != nil
	if !read {
		list, err := store.List[*trellis.RecordSet](b.tx, b.zone.Key()+"/"+trellis.RecordSetID(name, s.Type, ""))
		if err != nil {
			return err
		}
		targets = list
	}
	if !slices.ContainsFunc(targets, func(o *trellis.RecordSet) bool { return o.Type == s.Type }) {
		b.refuse("Tried to create an alias that targets ", name, ", type ", s.Type, " in zone ", b.zone.ID, ", but that target was not found")
	}
	return nil
}

// bound refuses a batch after which the zone has too many record sets.
func (b *batch) bound() error {
	more := -len(b.was)
	for _, sets := range b.named {
		more += len(sets)
	}
	if more <= 0 {
		return nil
	}
	have, err := store.Count[*trellis.RecordSet](b.tx, b.zone.Key()+"/")
	if err != nil {
		return err
	}
	limit, full, err := b.zones.Quotas.Reached(b.tx, b.zone.Account, quota.RecordsPerZone, have-1) // have has what the batch adds
	if full {
		b.refuse("Number of records limit of ", strconv.Itoa(limit), " exceeded.")
	}
	return err
}

// ListSets returns all record sets of a zone in Route 53's order.
func (z *Zones) ListSets(ctx context.Context, c *authpolicy.Caller, id string) (all []*trellis.RecordSet, err error) {
	id = ID(id)
	err = z.Read(ctx, c, "route53:ListResourceRecordSets", trellis.HostedZoneARN(id), nil, func(tx *store.Tx) error {
		n, err := get(tx, c, id)
		if err != nil {
			return err
		}
		all, err = store.List[*trellis.RecordSet](tx, n.Key()+"/")
		return err
	})
	slices.SortFunc(all, CompareSets)
	return all, err
}

// CompareSets is Route 53's order of record sets: by name, type and set identifier.
func CompareSets(a, b *trellis.RecordSet) int {
	return cmp.Or(trellis.CompareRecordNames(a.Name, b.Name), strings.Compare(a.Type, b.Type), strings.Compare(a.SetIdentifier, b.SetIdentifier))
}

// Answer is what a zone answers to a question.
type Answer struct {
	Zone   *trellis.HostedZone
	Name   string
	Code   string // NOERROR or NXDOMAIN
	Values []string
}

// Test answers a question as the zone does. Aliases are followed within it.
func (z *Zones) Test(ctx context.Context, c *authpolicy.Caller, id, name, kind string) (a Answer, err error) {
	id = ID(id)
	if a.Name, err = trellis.RecordName(name); err != nil {
		return a, invalidInput("The record name %s is not valid: %s", name, err)
	}
	err = z.Read(ctx, c, "route53:TestDNSAnswer", trellis.HostedZoneARN(id), nil, func(tx *store.Tx) error {
		if a.Zone, err = get(tx, c, id); err != nil {
			return err
		}
		all, err := store.List[*trellis.RecordSet](tx, a.Zone.Key()+"/")
		if err != nil {
			return err
		}
		a.Code, a.Values = look(all, a.Name, kind, z.Region, 0)
		return nil
	})
	return a, err
}

// look finds the values of a name and type among the record sets of a zone.
func look(all []*trellis.RecordSet, name, kind, region string, step int) (code string, values []string) {
	code = "NXDOMAIN"
	var found []*trellis.RecordSet
	for _, s := range all {
		if s.Name == name || strings.HasSuffix(s.Name, "."+name) {
			code = "NOERROR"
		}
		if s.Name == name && s.Type == kind {
			found = append(found, s)
		}
	}
	if _, parent, ok := strings.Cut(name, "."); code == "NXDOMAIN" && ok && parent != "" && !strings.HasPrefix(name, `\052.`) {
		return look(all, `\052.`+parent, kind, region, step)
	}
	for _, s := range trellis.ChooseRecordSets(found, region, rand.Int64N) {
		if s.Alias != nil && step < 8 {
			_, more := look(all, s.Alias.Name, kind, region, step+1)
			values = append(values, more...)
		}
		values = append(values, s.Values...)
	}
	return code, values
}
