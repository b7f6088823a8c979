import java.nio.file.Path;

import org.codelibs.opensearch.runner.OpenSearchRunner;
import org.opensearch.http.HttpServerTransport;

/**
 * Starts a cluster of one node on a free loopback port, prints the port, and stops when its standard input ends: with the test
 * that started it, whichever way that ends.
 */
public final class Main {
    private Main() {}

    /** The argument is an empty folder for the data. */
    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        try (OpenSearchRunner runner = new OpenSearchRunner()) {
            runner.onBuild((number, settings) -> {
                settings.put("network.host", "127.0.0.1");
                settings.put("http.port", "0");
                settings.put("transport.port", "0");
                settings.put("discovery.type", "single-node");
                // A disk that is nearly full is the machine's business: the test's data are small.
                settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
            });
            runner.build(OpenSearchRunner.newConfigs()
                .clusterName("search-conformance")
                .basePath(folder.toString())
                .numOfNode(1)
                .disableESLogger()
                .useLogger());
            runner.ensureGreen();
            int port = runner.node().injector().getInstance(HttpServerTransport.class).boundAddress()
                .publishAddress().getPort();
            System.out.println("port " + port);
            System.out.flush();
            while (System.in.read() != -1) {}
        }
        // Threads of the node that are not daemons would keep the process.
        System.exit(0);
    }
}
