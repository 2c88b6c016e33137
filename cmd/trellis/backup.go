package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis/daemon"
)

// backupCommand is `trellis backup`.
func backupCommand() *cobra.Command {
	data := daemon.DefaultConfig().Data
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a backup of a data directory, while Trellis runs or not",
		Long: `Write a backup of a data directory into a file, or to standard output when FILE is -. Trellis may run and go on; the store
is taken at one revision. What stands beside the store is in it too: log groups, objects of buckets, code of functions.

The sealing key is not: without the file seal.key of the data directory nobody reads the secrets of a backup, you neither.
Keep a copy of it, elsewhere.`,
		Example: `  trellis backup trellis-$(date +%F).backup
  trellis backup --data /var/lib/trellis - | ssh vault 'cat > trellis.backup'`,
		Args: oneArgument("a file, or - for standard output"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "-" {
				return daemon.Backup(cmd.Context(), data, cmd.OutOrStdout())
			}
			size, err := writeWhole(args[0], func(to io.Writer) error { return daemon.Backup(cmd.Context(), data, to) })
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %.1f MiB. Keep %s too, elsewhere: it opens the secrets in it.\n", args[0], float64(size)/(1<<20), filepath.Join(data, "seal.key"))
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", data, "data directory")
	return cmd
}

// writeWhole makes a file that nobody else may read, which appears when all of it is on the disk.
func writeWhole(path string, write func(io.Writer) error) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-") // mode 0600
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if info, fault := f.Stat(); fault == nil {
		size = info.Size()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	return size, os.Rename(f.Name(), path)
}

// restoreCommand is `trellis restore`.
func restoreCommand() *cobra.Command {
	data, key := daemon.DefaultConfig().Data, ""
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a data directory out of a backup",
		Long: `Make a data directory out of a backup that trellis backup wrote, or out of standard input when FILE is -. The directory must
not exist, or be empty but for seal.key. A backup that is damaged, of a newer Trellis or sealed with another key is refused,
and nothing is left of it.

Start Trellis with the directory then, in the same --region; access keys and sessions are those of the backup.`,
		Example: `  trellis restore --data restored --seal-key vault/seal.key trellis-2026-11-27.backup && trellis serve --data restored`,
		Args:    oneArgument("a backup, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			from := cmd.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				from = f
			}
			info, err := daemon.Restore(cmd.Context(), data, key, from, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is what it was at %s: %d keys and %d files. Start it with: trellis serve --data %s\n",
				data, info.Time.Format("2006-01-02 15:04:05 MST"), info.Keys, info.Files, data)
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", data, "data directory to make")
	cmd.Flags().StringVar(&key, "seal-key", "", "seal.key of the Trellis that was backed up (default: the one in the data directory)")
	return cmd
}

// rotateKeyCommand is `trellis rotate-key`.
func rotateKeyCommand() *cobra.Command {
	data, etcd := daemon.DefaultConfig().Data, []string(nil)
	cmd := &cobra.Command{
		Use:   "rotate-key",
		Short: "Seal all secrets of a data directory with a new key, while Trellis does not run",
		Long: `Make a new sealing key and seal all secrets of a data directory with it: access keys, private keys, what seals sessions.
Credentials and sessions stay as they are. Trellis must not run with the directory meanwhile.

The old key file stays beside the new one, under its id: backups that were made before need it. Move it to them.`,
		Example: "  trellis rotate-key --data .trellis",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, old, err := daemon.RotateKey(cmd.Context(), data, etcd)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the secrets of %d nouns are sealed with a new key. Backups of before need %s: move it to them.\n", n, old)
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", data, "data directory")
	cmd.Flags().StringSliceVar(&etcd, "etcd", nil, "endpoints of the etcd cluster, when it is not the embedded one")
	return cmd
}
