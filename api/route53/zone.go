package route53

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/hostedzone"
)

// hostedZone is a zone as the wire has it.
func hostedZone(z hostedzone.Zone) *HostedZone {
	return &HostedZone{Id: "/hostedzone/" + z.ID, Name: z.Name, CallerReference: z.CallerReference, ResourceRecordSetCount: new(int64(z.Records)),
		Config: &HostedZoneConfig{Comment: api.Some(z.Comment), PrivateZone: new(z.Private)}}
}

// delegation is the name servers of a public zone, nil of a private one.
func delegation(z hostedzone.Zone) *DelegationSet {
	if z.Private {
		return nil
	}
	return &DelegationSet{NameServers: z.NameServers()}
}

// changeInfo is a change as the wire has it. All are done when they are answered.
func changeInfo(c hostedzone.Change) *ChangeInfo {
	return &ChangeInfo{Id: "/change/" + c.ID, Status: "INSYNC", SubmittedAt: c.SubmittedAt, Comment: api.Some(c.Comment)}
}

// vpc is a VPC as the wire has it, fromVPC the reverse.
func vpc(v trellis.ZoneVPC) VPC { return VPC{VPCId: new(v.VPC.ID), VPCRegion: new(v.Region)} }

// fromVPC is vpc reversed.
func fromVPC(v *VPC) trellis.ZoneVPC {
	return trellis.ZoneVPC{Region: api.Value(v.VPCRegion), VPC: trellis.Ref{ID: api.Value(v.VPCId)}}
}

// createHostedZone serves CreateHostedZone.
func (h *handler) createHostedZone(ctx context.Context, c *api.Call, in *CreateHostedZoneInput) (*CreateHostedZoneOutput, error) {
	if api.Value(in.DelegationSetId) != "" {
		return nil, trellis.NewError(400, "NoSuchDelegationSet", "A delegation set with ID %s can't be found.", *in.DelegationSetId)
	}
	input := hostedzone.Input{Name: in.Name, CallerReference: in.CallerReference}
	if in.HostedZoneConfig != nil {
		input.Comment, input.Private = api.Value(in.HostedZoneConfig.Comment), api.Value(in.HostedZoneConfig.PrivateZone)
	}
	if in.VPC != nil {
		input.VPC = new(fromVPC(in.VPC))
	}
	z, change, rev, err := h.zones.Create(ctx, c.Caller, input)
	if err != nil {
		return nil, err
	}
	change.Comment = ""
	return api.Done(c, &CreateHostedZoneOutput{HostedZone: hostedZone(z), ChangeInfo: changeInfo(change), DelegationSet: delegation(z), VPC: in.VPC,
		Location: "https://route53.amazonaws.com/2013-04-01/hostedzone/" + z.ID}, rev, nil)
}

// getHostedZone serves GetHostedZone.
func (h *handler) getHostedZone(ctx context.Context, c *api.Call, in *GetHostedZoneInput) (*GetHostedZoneOutput, error) {
	z, err := h.zones.Find(ctx, c.Caller, "route53:GetHostedZone", in.Id)
	if err != nil {
		return nil, err
	}
	out := &GetHostedZoneOutput{HostedZone: hostedZone(z), DelegationSet: delegation(z)}
	if z.Private {
		out.VPCs = api.Each(z.VPCs, vpc)
	}
	return out, nil
}

// pageSize reads how many items a page may have, most when nothing is said.
func pageSize(text *string, most int) (int, error) {
	if text == nil {
		return most, nil
	}
	n, err := strconv.Atoi(*text)
	if err != nil || n < 1 {
		return 0, trellis.NewError(400, "InvalidInput", "The number of items of a page, %s, is not a number from 1 to %d.", *text, most)
	}
	return min(n, most), nil
}

// cut takes one page of at most size from a place on; more tells whether items are left, of which items[size] is the next.
func cut[T any](all []T, from func(T) bool, size int) (page []T, next *T) {
	if i := slices.IndexFunc(all, from); i >= 0 {
		all = all[i:]
	} else {
		return nil, nil
	}
	if len(all) <= size {
		return all, nil
	}
	return all[:size], &all[size]
}

// listHostedZones serves ListHostedZones: a marker is the id of the zone that a page begins with.
func (h *handler) listHostedZones(ctx context.Context, c *api.Call, in *ListHostedZonesInput) (*ListHostedZonesOutput, error) {
	size, err := pageSize(in.MaxItems, 100)
	if err != nil {
		return nil, err
	}
	all, err := h.zones.List(ctx, c.Caller, "route53:ListHostedZones")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b hostedzone.Zone) int { return strings.Compare(a.ID, b.ID) })
	if api.Value(in.DelegationSetId) != "" {
		return nil, trellis.NewError(400, "NoSuchDelegationSet", "A delegation set with ID %s can't be found.", *in.DelegationSetId)
	}
	all = slices.DeleteFunc(all, func(z hostedzone.Zone) bool { return api.Value(in.HostedZoneType) == "PrivateHostedZone" && !z.Private })
	page, next := cut(all, func(z hostedzone.Zone) bool { return z.ID >= api.Value(in.Marker) }, size)
	out := &ListHostedZonesOutput{HostedZones: zonesOf(page), Marker: api.Value(in.Marker), IsTruncated: next != nil, MaxItems: strconv.Itoa(size)}
	if next != nil {
		out.NextMarker = &next.ID
	}
	return out, nil
}

// zonesOf are zones as lists have them.
func zonesOf(page []hostedzone.Zone) []HostedZone {
	return api.Each(page, func(z hostedzone.Zone) HostedZone { return *hostedZone(z) })
}

// listHostedZonesByName serves ListHostedZonesByName.
func (h *handler) listHostedZonesByName(ctx context.Context, c *api.Call, in *ListHostedZonesByNameInput) (*ListHostedZonesByNameOutput, error) {
	size, err := pageSize(in.MaxItems, 100)
	if err != nil {
		return nil, err
	}
	if in.HostedZoneId != nil && in.DNSName == nil {
		return nil, trellis.NewError(400, "InvalidInput", "The ListHostedZonesByName request included a value for HostedZoneId but no value for DNSName.")
	}
	from := ""
	if in.DNSName != nil {
		if from, err = trellis.RecordName(*in.DNSName); err != nil {
			return nil, trellis.NewError(400, "InvalidDomainName", "%s is not a valid domain name", *in.DNSName)
		}
	}
	all, err := h.zones.List(ctx, c.Caller, "route53:ListHostedZonesByName")
	if err != nil {
		return nil, err
	}
	id := hostedzone.ID(api.Value(in.HostedZoneId))
	page, next := cut(all, func(z hostedzone.Zone) bool {
		order := trellis.CompareRecordNames(z.Name, from)
		return from == "" || order > 0 || order == 0 && z.ID >= id
	}, size)
	out := &ListHostedZonesByNameOutput{HostedZones: zonesOf(page), DNSName: in.DNSName, HostedZoneId: in.HostedZoneId, IsTruncated: next != nil, MaxItems: strconv.Itoa(size)}
	if next != nil {
		out.NextDNSName, out.NextHostedZoneId = &next.Name, &next.ID
	}
	return out, nil
}

// listHostedZonesByVPC serves ListHostedZonesByVPC.
func (h *handler) listHostedZonesByVPC(ctx context.Context, c *api.Call, in *ListHostedZonesByVPCInput) (*ListHostedZonesByVPCOutput, error) {
	size, err := pageSize(in.MaxItems, 100)
	if err != nil {
		return nil, err
	}
	all, err := h.zones.ListByVPC(ctx, c.Caller, trellis.ZoneVPC{Region: in.VPCRegion, VPC: trellis.Ref{ID: in.VPCId}})
	if err != nil {
		return nil, err
	}
	page, next, err := api.Cut(c, all, func(z *trellis.HostedZone) string { return z.ID }, in.NextToken, size)
	if err != nil {
		return nil, trellis.NewError(400, "InvalidPaginationToken", "The value that you specified for NextToken is not valid.")
	}
	return &ListHostedZonesByVPCOutput{MaxItems: strconv.Itoa(size), NextToken: next, HostedZoneSummaries: api.Each(page, func(z *trellis.HostedZone) HostedZoneSummary {
		return HostedZoneSummary{HostedZoneId: z.ID, Name: z.Name, Owner: &HostedZoneOwner{OwningAccount: &z.Account}}
	})}, nil
}

// getHostedZoneCount serves GetHostedZoneCount.
func (h *handler) getHostedZoneCount(ctx context.Context, c *api.Call, _ *GetHostedZoneCountInput) (*GetHostedZoneCountOutput, error) {
	all, err := h.zones.List(ctx, c.Caller, "route53:GetHostedZoneCount")
	return &GetHostedZoneCountOutput{HostedZoneCount: int64(len(all))}, err
}

// updateHostedZoneComment serves UpdateHostedZoneComment.
func (h *handler) updateHostedZoneComment(ctx context.Context, c *api.Call, in *UpdateHostedZoneCommentInput) (*UpdateHostedZoneCommentOutput, error) {
	z, rev, err := h.zones.UpdateComment(ctx, c.Caller, in.Id, api.Value(in.Comment))
	if err != nil {
		return nil, err
	}
	return api.Done(c, &UpdateHostedZoneCommentOutput{HostedZone: hostedZone(z)}, rev, nil)
}

// deleteHostedZone serves DeleteHostedZone.
func (h *handler) deleteHostedZone(ctx context.Context, c *api.Call, in *DeleteHostedZoneInput) (*DeleteHostedZoneOutput, error) {
	change, rev, err := h.zones.Delete(ctx, c.Caller, in.Id)
	return api.Done(c, &DeleteHostedZoneOutput{ChangeInfo: changeInfo(change)}, rev, err)
}

// getChange serves GetChange.
func (h *handler) getChange(_ context.Context, c *api.Call, in *GetChangeInput) (*GetChangeOutput, error) {
	change, err := h.zones.GetChange(c.Caller, in.Id)
	return &GetChangeOutput{ChangeInfo: changeInfo(change)}, err
}

// getDNSSEC serves GetDNSSEC: no zone is signed. Terraform asks before it deletes a zone.
func (h *handler) getDNSSEC(ctx context.Context, c *api.Call, in *GetDNSSECInput) (*GetDNSSECOutput, error) {
	if _, err := h.zones.Find(ctx, c.Caller, "route53:GetDNSSEC", in.HostedZoneId); err != nil {
		return nil, err
	}
	return &GetDNSSECOutput{Status: &DNSSECStatus{ServeSignature: new("NOT_SIGNING")}, KeySigningKeys: []KeySigningKey{}}, nil
}
