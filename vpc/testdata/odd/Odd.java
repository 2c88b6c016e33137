// A peer for TestOddPeers in Java: Odd.java listen|connect ADDRESS PORT block|nio
import java.io.IOException;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;

public class Odd {
    static final byte[] buf = new byte[65536];

    /** What both styles have. */
    interface Wire {
        int read(byte[] b, int n) throws IOException;
        void write(byte[] b, int n) throws IOException;
        void half() throws IOException;
        void reset() throws IOException;
        void small() throws IOException;
        void close() throws IOException;
    }

    record Blocking(Socket s) implements Wire {
        public int read(byte[] b, int n) throws IOException { return s.getInputStream().read(b, 0, n); }
        public void write(byte[] b, int n) throws IOException { s.getOutputStream().write(b, 0, n); }
        public void half() throws IOException { s.shutdownOutput(); }
        public void reset() throws IOException { s.setSoLinger(true, 0); }
        public void small() throws IOException { s.setReceiveBufferSize(4096); }
        public void close() throws IOException { s.close(); }
    }

    record Nio(SocketChannel c, Selector in, Selector out) implements Wire {
        static Nio of(SocketChannel c) throws IOException {
            c.configureBlocking(false);
            Nio n = new Nio(c, Selector.open(), Selector.open());
            c.register(n.in, SelectionKey.OP_READ);
            c.register(n.out, SelectionKey.OP_WRITE);
            return n;
        }
        public int read(byte[] b, int n) throws IOException {
            for (;;) {
                int r = c.read(ByteBuffer.wrap(b, 0, n));
                if (r != 0) return r;
                in.select();
                in.selectedKeys().clear();
            }
        }
        public void write(byte[] b, int n) throws IOException {
            ByteBuffer bb = ByteBuffer.wrap(b, 0, n);
            while (bb.hasRemaining()) {
                if (c.write(bb) > 0) continue;
                out.select();
                out.selectedKeys().clear();
            }
        }
        public void half() throws IOException { c.shutdownOutput(); }
        public void reset() throws IOException { c.setOption(StandardSocketOptions.SO_LINGER, 0); }
        public void small() throws IOException { c.setOption(StandardSocketOptions.SO_RCVBUF, 4096); }
        public void close() throws IOException { in.close(); out.close(); c.close(); }
    }

    static String line(Wire w) throws IOException {
        StringBuilder s = new StringBuilder();
        byte[] one = new byte[1];
        while (w.read(one, 1) == 1 && one[0] != '\n') s.append((char) one[0]);
        return s.toString();
    }

    static String rest(Wire w) {
        long n = 0;
        try {
            for (int r; (r = w.read(buf, buf.length)) > 0; ) n += r;
            return " " + n + " bytes, then end";
        } catch (IOException e) {
            return " " + n + " bytes, then " + e.getMessage();
        }
    }

    static void serve(Wire w, boolean first) throws IOException {
        if (first) line(w);
        w.write("ok\n".getBytes(), 3);
        String[] words = line(w).split(" ");
        int n = Integer.parseInt(words[1]), got = 0, h = 0;
        String out = words[0] + " " + n + ":";
        byte[] pattern = new byte[n];
        for (int i = 0; i < n; i++) pattern[i] = (byte) (i % 251);
        switch (words[0]) {
        case "echo" -> {
            while (got < n) {
                int r = w.read(buf, buf.length);
                if (r <= 0) break;
                w.write(buf, r);
                got += r;
            }
            out += rest(w);
        }
        case "half" -> {
            w.write(pattern, n);
            w.half();
            out += rest(w);
        }
        case "reset" -> {
            w.write(pattern, n);
            w.read(buf, 1);
            w.reset();
        }
        case "aborted" -> {
            w.write("w".getBytes(), 1);
            out += rest(w);
        }
        case "unread" -> w.read(buf, 1);
        case "slow" -> {
            w.small();
            while (got < n) {
                int r = w.read(buf, 512);
                if (r <= 0) break;
                for (int i = 0; i < r; i++) h = h * 31 + (buf[i] & 255);
                got += r;
            }
            out += " " + got + " bytes, sum " + Integer.toUnsignedString(h) + rest(w);
        }
        case "bytes" -> {
            byte[] one = new byte[1];
            for (int i = 0; i < n; i++) {
                one[0] = (byte) (i % 251);
                w.write(one, 1);
            }
            out += rest(w);
        }
        }
        System.out.println(out);
        w.close();
    }

    public static void main(String[] a) throws IOException {
        InetSocketAddress at = new InetSocketAddress(a[1], Integer.parseInt(a[2]));
        boolean nio = a[3].equals("nio");
        if (a[0].equals("listen")) {
            ServerSocketChannel ln = ServerSocketChannel.open().bind(at);
            System.out.println("ready");
            for (;;) {
                SocketChannel c = ln.accept();
                serve(nio ? Nio.of(c) : new Blocking(c.socket()), true);
            }
        }
        System.out.println("ready");
        try {
            for (;;) {
                if (nio) {
                    SocketChannel c = SocketChannel.open();
                    c.configureBlocking(false);
                    c.connect(at);
                    while (!c.finishConnect()) Thread.onSpinWait();
                    serve(Nio.of(c), false);
                } else {
                    serve(new Blocking(new Socket(at.getAddress(), at.getPort())), false);
                }
            }
        } catch (ConnectException e) {
            System.exit(0);
        }
    }
}
