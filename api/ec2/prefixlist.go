package ec2

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// prefixList is a prefix list in a state as the wire has it.
func (h *handler) prefixList(l *trellis.PrefixList, state string) *ManagedPrefixList {
	arn := l.ARN(h.region)
	if l.Account == "AWS" {
		arn = trellis.EC2ARN(h.region, "aws", "prefix-list/"+l.ID)
	}
	out := &ManagedPrefixList{AddressFamily: &l.AddressFamily, OwnerId: &l.Account, PrefixListArn: &arn, PrefixListId: &l.ID, PrefixListName: &l.Name, State: &state, Tags: tags(l.Tags)}
	if l.Account != "AWS" {
		out.MaxEntries, out.Version = new(int32(l.MaxEntries)), &l.Version
	}
	return out
}

// createManagedPrefixList is CreateManagedPrefixList.
func (h *handler) createManagedPrefixList(ctx context.Context, c *api.Call, in *CreateManagedPrefixListInput) (*CreateManagedPrefixListOutput, error) {
	t, err := tagSpecs(in.TagSpecifications, "prefix-list")
	if err != nil {
		return nil, err
	}
	l, rev, err := h.plane.CreatePrefixList(ctx, caller(c, in.DryRun), controlplane.NewPrefixList{Name: in.PrefixListName, AddressFamily: in.AddressFamily,
		MaxEntries: int(in.MaxEntries), Entries: entries(in.Entries), ClientToken: api.Value(in.ClientToken), Tags: t})
	if err != nil {
		return nil, err
	}
	return api.Done(c, &CreateManagedPrefixListOutput{PrefixList: h.prefixList(l, "create-in-progress")}, rev, nil)
}

// entries are entries to add.
func entries(in []AddPrefixListEntry) []controlplane.PrefixListChange {
	return api.Each(in, func(e AddPrefixListEntry) controlplane.PrefixListChange {
		return controlplane.PrefixListChange{CIDR: e.Cidr, Description: api.Value(e.Description)}
	})
}

// modifyManagedPrefixList is ModifyManagedPrefixList.
func (h *handler) modifyManagedPrefixList(ctx context.Context, c *api.Call, in *ModifyManagedPrefixListInput) (*ModifyManagedPrefixListOutput, error) {
	u := controlplane.PrefixListUpdate{CurrentVersion: in.CurrentVersion, Name: api.Value(in.PrefixListName), MaxEntries: int(api.Value(in.MaxEntries)), Add: entries(in.AddEntries)}
	for _, e := range in.RemoveEntries {
		u.Remove = append(u.Remove, controlplane.PrefixListChange{CIDR: e.Cidr})
	}
	l, rev, err := h.plane.ModifyPrefixList(ctx, caller(c, in.DryRun), in.PrefixListId, u)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &ModifyManagedPrefixListOutput{PrefixList: h.prefixList(l, "modify-in-progress")}, rev, nil)
}

// deleteManagedPrefixList is DeleteManagedPrefixList.
func (h *handler) deleteManagedPrefixList(ctx context.Context, c *api.Call, in *DeleteManagedPrefixListInput) (*DeleteManagedPrefixListOutput, error) {
	l, rev, err := h.plane.DeletePrefixList(ctx, caller(c, in.DryRun), in.PrefixListId)
	if err != nil {
		return nil, err
	}
	return api.Done(c, &DeleteManagedPrefixListOutput{PrefixList: h.prefixList(l, "delete-in-progress")}, rev, nil)
}

// describeManagedPrefixLists is DescribeManagedPrefixLists.
func (h *handler) describeManagedPrefixLists(ctx context.Context, c *api.Call, in *DescribeManagedPrefixListsInput) (*DescribeManagedPrefixListsOutput, error) {
	all, err := h.plane.PrefixLists(ctx, caller(c, in.DryRun), "DescribeManagedPrefixLists", query(in.PrefixListIds, in.Filters))
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(l *trellis.PrefixList) string { return l.ID }, in.MaxResults, in.NextToken)
	return &DescribeManagedPrefixListsOutput{NextToken: next, PrefixLists: api.Each(all, func(l *trellis.PrefixList) ManagedPrefixList {
		if l.Version > 1 {
			return *h.prefixList(l, "modify-complete")
		}
		return *h.prefixList(l, "create-complete")
	})}, err
}

// getManagedPrefixListEntries is GetManagedPrefixListEntries, of the current version.
func (h *handler) getManagedPrefixListEntries(ctx context.Context, c *api.Call, in *GetManagedPrefixListEntriesInput) (*GetManagedPrefixListEntriesOutput, error) {
	l, err := h.plane.PrefixList(ctx, caller(c, in.DryRun), in.PrefixListId)
	if err != nil {
		return nil, err
	}
	if in.TargetVersion != nil && *in.TargetVersion != l.Version {
		return nil, trellis.NewError(400, "InvalidPrefixListVersion", "The version %d of the prefix list is not kept.", *in.TargetVersion)
	}
	all, next, err := page(c, l.Entries, func(e trellis.PrefixListEntry) string { return e.CIDR.String() }, in.MaxResults, in.NextToken)
	return &GetManagedPrefixListEntriesOutput{NextToken: next, Entries: api.Each(all, func(e trellis.PrefixListEntry) PrefixListEntry {
		return PrefixListEntry{Cidr: api.Some(e.CIDR.String()), Description: api.Some(e.Description)}
	})}, err
}

// describePrefixLists is DescribePrefixLists: AWS's lists alone, with their entries.
func (h *handler) describePrefixLists(ctx context.Context, c *api.Call, in *DescribePrefixListsInput) (*DescribePrefixListsOutput, error) {
	q := query(in.PrefixListIds, in.Filters)
	q.Filters = append(q.Filters, controlplane.Filter{Name: "owner-id", Values: []string{"AWS"}})
	all, err := h.plane.PrefixLists(ctx, caller(c, in.DryRun), "DescribePrefixLists", q)
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(l *trellis.PrefixList) string { return l.ID }, in.MaxResults, in.NextToken)
	return &DescribePrefixListsOutput{NextToken: next, PrefixLists: api.Each(all, func(l *trellis.PrefixList) PrefixList {
		return PrefixList{PrefixListId: &l.ID, PrefixListName: &l.Name, Cidrs: api.Each(l.Entries, func(e trellis.PrefixListEntry) string { return e.CIDR.String() })}
	})}, err
}
