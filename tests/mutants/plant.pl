#!/usr/bin/perl
# Plants a fault: replaces the one place in FILE that reads like OLD with NEW.
# usage: plant.pl FILE OLD NEW
#
# White space between C's tokens does not count, so a pattern survives reformatting.
# Exits with 1 and a reason on standard error if OLD is not found exactly once.
use strict;
use warnings;

my ($file, $old, $new) = @ARGV;
die "usage: plant.pl FILE OLD NEW\n" unless defined $new;

sub tokens { return $_[0] =~ /\G\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\w+|\S)/g }

my $pattern = '';
my $word = 0; # whether the last token was a word
for my $token (tokens($old)) {
    my $is_word = $token =~ /^\w/;
    $pattern .= ($word && $is_word ? '\s+' : '\s*') if $pattern ne '';
    $pattern .= quotemeta $token;
    $word = $is_word;
}
$pattern = "\\b$pattern" if $old =~ /^\s*\w/;
$pattern = "$pattern\\b" if $word;

open my $in, '<', $file or die "$file: $!\n";
my $text = do { local $/; <$in> };
close $in;
my $times = () = $text =~ /$pattern/g;
die "$file: the pattern is there $times times, not once: $old\n" if $times != 1;
$text =~ s/$pattern/$new/;
open my $out, '>', $file or die "$file: $!\n";
print $out $text;
close $out or die "$file: $!\n";
