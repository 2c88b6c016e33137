package controlplane

import (
	"context"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// AllowEC2 checks the caller's policies for an operation that reads nothing of the account, such as
// DescribeRegions.
func (p *Plane) AllowEC2(c EC2Call, action string) error { return c.allow(action, nil, "*") }

// MatchEC2 keeps of items those that pass the filters. attrs gives the values of the operation's filters;
// it is for what is computed and not stored, such as images and zones.
func MatchEC2[T any](items []T, filters []Filter, attrs func(T) (map[string][]string, map[string]string)) ([]T, error) {
	q := Query{Filters: filters}
	var empty T
	known, _ := attrs(empty)
	if err := q.check(known); err != nil {
		return nil, err
	}
	var out []T
	for _, item := range items {
		a, tags := attrs(item)
		ok, err := q.matches(a, tags)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, item)
		}
	}
	return out, nil
}

// CheckImageID refuses an image id that cannot be one.
func CheckImageID(id string) error { return idImage.check(id) }

// SecurityGroupsExist answers an error when a security group of ids does not exist in the caller's account.
func (p *Plane) SecurityGroupsExist(ctx context.Context, c EC2Call, ids []string) error {
	return p.read(ctx, func(tx *store.Tx) error {
		_, err := queried[*trellis.SecurityGroup](tx, idSecurityGroup, c.account(), ids)
		return err
	})
}
