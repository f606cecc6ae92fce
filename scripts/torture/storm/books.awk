# Compares the storm's own book, DEEDS, with the server's log, to follow the drivers that the server
# keeps:
#
#   awk -v kept=COUNT [-v show=WHAT] -f books.awk DEEDS LOG
#
# With show=kept it prints the pids of the kept drivers that are alive; with show=owed, how many
# dead ones have not been replaced yet. Otherwise it prints what is wrong, and a last line with the
# numbers of drivers that were replaced, have died, and are kept. Each kept driver that is gone must
# have been deleted; or sent TERM or KILL, or stopped for too long, and replaced. No other one may be
# replaced, and each driver that was deleted must be gone.

function wrong(what) {
    if (!show)
        print what
}

# Notes that a kept driver is gone. how is "deleted", "TERM", "KILL", "STOP" or a line of the log.
function leaves(pid, how) {
    if (!((how, pid) in deeds))
        wrong(pid " is gone (" how "), which the storm did not cause")
    if (how == "deleted")
        deleted++
    else
        owed++
    delete is_kept[pid]
}

$1 == "deed" { deeds[$2, $3] = 1; next }
$2 != "driver" { next }

# A driver that was stopped for too long while it had a job.
/: did not end its job in time: killed$/ { overdue[$3 + 0] = 1 }

$4 == "started" {
    lives[$3] = 1
    if (started++ < kept)
        is_kept[$3] = 1
}

$4 == "replaces" {
    if (owed-- <= 0)
        wrong($3 " replaces no dead driver")
    if (("made", $3) in deeds)
        wrong($3 " was created by the storm, but replaces a driver")
    is_kept[$3] = 1
    replaced++
}

$4 == "died" { died++ }

$4 == "died" || $4 == "ended" {
    delete lives[$3]
    if (!($3 in is_kept))
        next
    if ($4 == "ended")
        leaves($3, "deleted")
    else if (/status 0\)/)
        leaves($3, "TERM")
    else
        leaves($3, !/signal 9\)/ ? $0 : $3 in overdue ? "STOP" : "KILL")
}

END {
    if (show == "owed") {
        print owed + 0
        exit
    }
    for (pid in is_kept) {
        if (show == "kept")
            print pid
        left++
    }
    if (show)
        exit
    for (deed in deeds) {
        split(deed, of, SUBSEP)
        if (of[1] == "deleted" && of[2] in lives)
            wrong(of[2] " was deleted, but is alive")
    }
    if (owed)
        wrong(owed " dead drivers were not replaced")
    if (left != kept - deleted)
        wrong(left " of " kept " are kept, but " deleted + 0 " were deleted")
    print replaced + 0, died + 0, left + 0
}
