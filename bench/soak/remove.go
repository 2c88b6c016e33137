package main

import (
	"context"
	"errors"
	"fmt"
)

// remove deletes, through the API, everything that the accounts have, whoever made it: what churn has left goes too.
// The order is that of references: first what refers, then what is referred to.
func (w *world) remove(ctx context.Context) error {
	for _, step := range []func(context.Context, string) error{w.removeAssociations, w.removeSpeaking, w.removeServices, w.removeCertificates, w.removeInstances, w.removeVPCs} {
		for _, account := range []string{accountB, accountA} {
			if err := step(ctx, account); err != nil {
				return fmt.Errorf("remove what %s has: %w", account, err)
			}
		}
	}
	return nil
}

// each lists and deletes.
func (w *world) each(ctx context.Context, account, list, items string, remove func(answer) error) error {
	found, err := w.d.call(ctx, account, list, nil)
	if err != nil {
		return err
	}
	var errs []error
	for _, i := range found.list(items) {
		if err := remove(i); err != nil && !absent(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// removeAssociations ends what joins VPCs and services to networks.
func (w *world) removeAssociations(ctx context.Context, account string) error {
	return w.each(ctx, account, "vpc-lattice ListServiceNetworks", "items", func(n answer) error {
		for _, kind := range []struct{ list, remove, get, id string }{
			{"ListServiceNetworkServiceAssociations", "DeleteServiceNetworkServiceAssociation", "GetServiceNetworkServiceAssociation", "serviceNetworkServiceAssociationIdentifier"},
			{"ListServiceNetworkVpcAssociations", "DeleteServiceNetworkVpcAssociation", "GetServiceNetworkVpcAssociation", "serviceNetworkVpcAssociationIdentifier"},
		} {
			found, err := w.d.call(ctx, account, "vpc-lattice "+kind.list, in{"serviceNetworkIdentifier": n.text("arn")})
			if err != nil {
				return err
			}
			for _, a := range found.list("items") {
				if account == accountB && a.text("createdBy") != accountB {
					continue // of the network that A shares with B
				}
				input := in{kind.id: a.text("id")}
				if _, err := w.d.call(ctx, account, "vpc-lattice "+kind.remove, input); err != nil && !absent(err) {
					return err
				}
				if err := w.untilGone(ctx, account, "vpc-lattice "+kind.get, input); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// removeServices deletes services, target groups, networks, shares and log groups.
func (w *world) removeServices(ctx context.Context, account string) error {
	services := w.each(ctx, account, "vpc-lattice ListServices", "items", func(s answer) error {
		id := in{"serviceIdentifier": s.text("id")}
		subscriptions, err := w.d.call(ctx, account, "vpc-lattice ListAccessLogSubscriptions", in{"resourceIdentifier": s.text("arn")})
		if err != nil {
			return err
		}
		for _, l := range subscriptions.list("items") {
			if _, err := w.d.call(ctx, account, "vpc-lattice DeleteAccessLogSubscription", in{"accessLogSubscriptionIdentifier": l.text("id")}); err != nil {
				return err
			}
		}
		if _, err := w.d.call(ctx, account, "vpc-lattice DeleteService", id); err != nil {
			return err
		}
		return w.untilGone(ctx, account, "vpc-lattice GetService", id)
	})
	groups := w.each(ctx, account, "vpc-lattice ListTargetGroups", "items", func(g answer) error { return w.removeGroup(ctx, account, g.text("id")) })
	shares := func() error {
		found, err := w.d.call(ctx, account, "ram GetResourceShares", in{"resourceOwner": "SELF"})
		if err != nil {
			return err
		}
		for _, s := range found.list("resourceShares") {
			if s.text("status") == "ACTIVE" {
				if _, err := w.d.call(ctx, account, "ram DeleteResourceShare", in{"resourceShareArn": s.text("resourceShareArn")}); err != nil {
					return err
				}
			}
		}
		return nil
	}()
	if account == accountB {
		return errors.Join(services, groups, shares) // the networks are A's
	}
	networks := w.each(ctx, account, "vpc-lattice ListServiceNetworks", "items", func(n answer) error {
		_, err := w.d.call(ctx, account, "vpc-lattice DeleteServiceNetwork", in{"serviceNetworkIdentifier": n.text("id")})
		return err
	})
	logs := w.each(ctx, account, "logs DescribeLogGroups", "logGroups", func(g answer) error {
		_, err := w.d.call(ctx, account, "logs DeleteLogGroup", in{"logGroupName": g.text("logGroupName")})
		return err
	})
	return errors.Join(services, groups, shares, networks, logs)
}

// removeGroup empties a target group and deletes it.
func (w *world) removeGroup(ctx context.Context, account, id string) error {
	found, err := w.d.call(ctx, account, "vpc-lattice ListTargets", in{"targetGroupIdentifier": id})
	if err != nil {
		return err
	}
	var targets []any
	for _, t := range found.list("items") {
		if t.text("status") != "DRAINING" {
			targets = append(targets, in{"id": t.text("id"), "port": t["port"]})
		}
	}
	if len(targets) > 0 {
		if _, err := w.d.call(ctx, account, "vpc-lattice DeregisterTargets", in{"targetGroupIdentifier": id, "targets": targets}); err != nil {
			return err
		}
	}
	if _, err := w.d.call(ctx, account, "vpc-lattice DeleteTargetGroup", in{"targetGroupIdentifier": id}); err != nil {
		return err
	}
	return w.untilGone(ctx, account, "vpc-lattice GetTargetGroup", in{"targetGroupIdentifier": id})
}

// removeInstances terminates instances.
func (w *world) removeInstances(ctx context.Context, account string) error {
	return w.each(ctx, account, "ec2 DescribeInstances", "Reservations", func(r answer) error {
		if state := r.text("Instances.0.State.Name"); state == "terminated" || state == "shutting-down" {
			return nil
		}
		return w.terminate(ctx, account, r.text("Instances.0.InstanceId"))
	})
}

// terminate ends an instance.
func (w *world) terminate(ctx context.Context, account, id string) error {
	_, err := w.d.call(ctx, account, "ec2 TerminateInstances", in{"InstanceIds": []any{id}})
	return err
}

// removeVPCs deletes security groups, subnets and VPCs, once no instance is in them any more.
func (w *world) removeVPCs(ctx context.Context, account string) error {
	terminated := func(a answer) bool {
		for _, r := range a.list("Reservations") {
			if r.text("Instances.0.State.Name") != "terminated" {
				return false
			}
		}
		return true
	}
	if err := w.d.until(ctx, account, "ec2 DescribeInstances", nil, terminated); err != nil {
		return err
	}
	groups := w.each(ctx, account, "ec2 DescribeSecurityGroups", "SecurityGroups", func(g answer) error {
		if g.text("GroupName") == "default" {
			return nil
		}
		_, err := w.d.call(ctx, account, "ec2 DeleteSecurityGroup", in{"GroupId": g.text("GroupId")})
		return err
	})
	subnets := w.each(ctx, account, "ec2 DescribeSubnets", "Subnets", func(s answer) error {
		_, err := w.d.call(ctx, account, "ec2 DeleteSubnet", in{"SubnetId": s.text("SubnetId")})
		return err
	})
	vpcs := w.each(ctx, account, "ec2 DescribeVpcs", "Vpcs", func(v answer) error {
		_, err := w.d.call(ctx, account, "ec2 DeleteVpc", in{"VpcId": v.text("VpcId")})
		return err
	})
	return errors.Join(groups, subnets, vpcs)
}

// remembered counts what was removed and is still shown for some minutes: terminated instances and deleted shares.
func (w *world) remembered(ctx context.Context) (n int, err error) {
	for _, account := range []string{accountA, accountB} {
		instances, err := w.d.call(ctx, account, "ec2 DescribeInstances", nil)
		if err != nil {
			return 0, err
		}
		shares, err := w.d.call(ctx, account, "ram GetResourceShares", in{"resourceOwner": "SELF"})
		if err != nil {
			return 0, err
		}
		n += len(instances.list("Reservations")) + 2*len(shares.list("resourceShares")) // deleted, and changed when its network was
	}
	return n, nil
}
