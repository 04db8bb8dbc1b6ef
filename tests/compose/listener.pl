# The web server that receives the compose test's follow-ups. Prints one line per request (request
# line, content type, Idempotency-Key, body; tabs between them) and answers 200. In Perl, because
# Debian's smallest image has it.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
$SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 16, ReuseAddr => 1)
    or die "listener: $!";
while (my $client = $server->accept) {
    my $request = <$client> // next;
    my %header;
    while (defined(my $line = <$client>)) {
        $line =~ s/\r?\n\z//;
        last if $line eq '';
        $header{lc $1} = $2 if $line =~ /^([^:]+):\s*(.*)$/;
    }
    my $body = '';
    read $client, $body, $header{'content-length'} // 0;
    $request =~ s/\s+\z//;
    print join("\t", $request, $header{'content-type'} // '-', $header{'idempotency-key'} // '-',
        $body), "\n";
    print $client "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    close $client;
}
