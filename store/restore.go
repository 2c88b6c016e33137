package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
)

// revisionBump is how far a restored store's revisions are ahead of the snapshot's, so that no revision that was
// answered after the snapshot comes a second time with other contents (etcd operations guide, recovery).
const revisionBump = 1_000_000_000

// SnapshotInfo is what a snapshot tells of itself.
type SnapshotInfo struct {
	Revision int64 // newest revision in it
	Keys     int   // of etcd
}

// ReadSnapshot looks into a snapshot that Backup wrote, and refuses one that is damaged.
func ReadSnapshot(path string) (SnapshotInfo, error) {
	s, err := snapshot.NewV3(zap.NewNop()).Status(path)
	if err != nil {
		return SnapshotInfo{}, fmt.Errorf("read snapshot: %w", err)
	}
	return SnapshotInfo{Revision: s.Revision, Keys: s.TotalKey}, nil
}

// Restore makes the store of data directory o.Dir, which holds seal.key and no store, out of a snapshot that Backup wrote.
// It starts the new store once, so a snapshot of a newer Trellis, or one that was sealed with another key, is refused. A
// Restore that fails leaves no store.
func Restore(ctx context.Context, o Options, path string) error {
	if len(o.Endpoints) > 0 {
		return errors.New("restore: an etcd that others run is restored by etcdutl snapshot restore")
	}
	data := filepath.Join(o.Dir, "etcd")
	if _, err := os.Stat(data); err == nil {
		return fmt.Errorf("restore: %s holds a store already", o.Dir)
	}
	if _, err := os.Stat(filepath.Join(o.Dir, "seal.key")); err != nil {
		return fmt.Errorf("restore: the sealing key is needed: %w", err)
	}
	s, err := New(o)
	if err != nil {
		return err
	}
	err = snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: path, Name: memberName, OutputDataDir: data, PeerURLs: []string{"http://" + memberHost},
		InitialCluster: initialCluster, InitialClusterToken: clusterToken, RevisionBump: revisionBump, MarkCompacted: true})
	if err == nil {
		err = s.use(ctx, func() error { return nil })
	}
	if err != nil {
		return errors.Join(fmt.Errorf("restore: %w", err), os.RemoveAll(data))
	}
	return nil
}
