package controlplane

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// idAttachment is the kind of the ids of attachments.
var idAttachment = idKind{prefix: "eni-attach", code: "InvalidAttachmentID", noun: "interface attachment"}

// AttachmentID is the id of an interface's attachment. That of the first interface of an instance follows from the interface's.
func AttachmentID(n *trellis.ElasticNetworkInterface) string {
	return cmp.Or(n.Attachment.ID, DerivedID("eni-attach", n.ID))
}

// AttachNetworkInterface gives an instance a further interface, of its VPC and zone, and returns the attachment's id. A running
// instance has it at once.
func (p *Plane) AttachNetworkInterface(ctx context.Context, c EC2Call, id, instance string, index int) (attachment string, rev trellis.Revision, err error) {
	rev, err = p.ec2Commit(ctx, func(tx *store.Tx) error {
		if err := p.allow(tx, c, "AttachNetworkInterface", nil, p.ec2ARN(c, "network-interface/"+id), p.ec2ARN(c, "instance/"+instance)); err != nil {
			return err
		}
		n, err := p.freeInterface(tx, c.account(), id)
		if err != nil {
			return err
		}
		if err := instancesExist(tx, c.account(), []string{instance}); err != nil {
			return err
		}
		i, err := find[*trellis.Instance](tx, idInstance, c.account(), instance)
		if err != nil {
			return err
		}
		if i.State == trellis.InstanceTerminated || i.State == trellis.InstanceShuttingDown {
			return ec2Error("IncorrectInstanceState", "The instance '%s' is not in a state from which it can have an interface attached.", i.ID)
		}
		has, err := p.interfacesOf(tx, i)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(has, func(d DescribedInterface) bool { return d.Attachment.DeviceIndex == index }) {
			return ec2Error("InvalidParameterValue", "Instance '%s' already has an interface attached at device index '%d'.", i.ID, index)
		}
		if err := p.attach(tx, n, i, index, false); err != nil {
			return err
		}
		attachment = AttachmentID(n)
		return p.putInterface(tx, n)
	})
	return attachment, rev, err
}

// freeInterface reads an interface that no instance has.
func (p *Plane) freeInterface(tx *store.Tx, account, id string) (*trellis.ElasticNetworkInterface, error) {
	n, err := p.findInterface(tx, account, id)
	if err == nil && n.Attachment != nil {
		return nil, interfaceInUse(id)
	}
	return n, err
}

// interfaceInUse says that an instance has an interface that another shall have.
func interfaceInUse(id string) error {
	return ec2Error("InvalidNetworkInterface.InUse", "Interface: [%s] in use.", id)
}

// attach gives an interface that no instance has to an instance which has none at the index, without putting it. The first one of an
// instance is given when it is launched.
func (p *Plane) attach(tx *store.Tx, n *trellis.ElasticNetworkInterface, i *trellis.Instance, index int, deleteOnTermination bool) error {
	switch {
	case index < 0 || index >= MaxInterfaces:
		return ec2Error("InvalidParameterValue", "Value (%d) for parameter deviceIndex is invalid. An instance has the device indexes 0 to %d.", index, MaxInterfaces-1)
	case n.VPCID != i.VPCID:
		return ec2Error("InvalidParameterCombination", "Network interface '%s' and instance '%s' belong to different networks", n.ID, i.ID)
	}
	own, err := store.Get[*trellis.Subnet](tx, n.Account+"/"+n.SubnetID)
	if err != nil {
		return err
	}
	first, err := store.Get[*trellis.Subnet](tx, i.Account+"/"+i.SubnetID)
	if err != nil {
		return err
	}
	if own.AvailabilityZone != first.AvailabilityZone {
		return ec2Error("InvalidParameterCombination", "You may not attach a network interface to an instance if they are not in the same availability zone")
	}
	n.Attachment, n.Detached = &trellis.InterfaceAttachment{ID: trellis.NewID("eni-attach"), InstanceID: i.ID, DeviceIndex: index, DeleteOnTermination: deleteOnTermination, At: p.now()}, nil
	return nil
}

// interfacesOf are the interfaces of an instance, by device index.
func (p *Plane) interfacesOf(tx *store.Tx, i *trellis.Instance) ([]DescribedInterface, error) {
	x, err := p.around(tx, i.Account)
	if err != nil {
		return nil, err
	}
	return x.of(i), nil
}

// DetachNetworkInterface takes an interface from its instance, by the attachment's id. The first one stays for the instance's life.
func (p *Plane) DetachNetworkInterface(ctx context.Context, c EC2Call, attachment string) (trellis.Revision, error) {
	return p.ec2Commit(ctx, func(tx *store.Tx) error {
		all, err := p.interfaces(tx, c.account())
		if err != nil {
			return err
		}
		at := slices.IndexFunc(all, func(d DescribedInterface) bool {
			return d.Attachment != nil && AttachmentID(d.ElasticNetworkInterface) == attachment
		})
		id, instance := "*", "*"
		if at >= 0 {
			id, instance = all[at].ID, all[at].Attachment.InstanceID
		}
		if err := p.allow(tx, c, "DetachNetworkInterface", nil, p.ec2ARN(c, "network-interface/"+id), p.ec2ARN(c, "instance/"+instance)); err != nil {
			return err
		}
		if err := idAttachment.check(attachment); err != nil {
			return err
		}
		switch {
		case at < 0:
			return idAttachment.notFound(attachment)
		case all[at].Attachment.DeviceIndex == 0:
			return ec2Error("OperationNotPermitted", "The network interface at device index 0 cannot be detached.")
		}
		return p.detach(tx, all[at].ElasticNetworkInterface)
	})
}

// detachedVisible is how long who asks for an attachment by its id sees that it has ended. Terraform waits for that, and takes
// minutes to believe that an attachment is gone that it does not see.
const detachedVisible = 30 * time.Second

// detach takes an interface from its instance.
func (p *Plane) detach(tx *store.Tx, n *trellis.ElasticNetworkInterface) error {
	n.Attachment, n.Detached = nil, n.Attachment
	n.Detached.ID, n.Detached.At = cmp.Or(n.Detached.ID, DerivedID("eni-attach", n.ID)), p.now()
	return p.putInterface(tx, n)
}

// leaveInterfaces takes the interfaces from an instance that is terminated: those that end with it are deleted.
func (p *Plane) leaveInterfaces(tx *store.Tx, i *trellis.Instance) error {
	attached, err := store.Find[*trellis.ElasticNetworkInterface](tx, i.ID)
	if err != nil {
		return err
	}
	for _, n := range attached {
		if n.Attachment.DeleteOnTermination {
			deleteInterface(tx, n)
		} else if err := p.detach(tx, n); err != nil {
			return err
		}
	}
	return nil
}
