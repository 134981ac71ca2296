//! Who takes part in a duel: programs started for a cell, each where it belongs.

use std::rc::Rc;

use super::contestant::Contestant;
use super::duel::{Side, Source};
use super::generators::Nginx;
use super::program::Program;
use super::scenario::{Cell, Load};
use super::session::Session;

impl Session<'_> {
    /// Both sides of a duel. The reason why there are none stands behind the rival's name later, and
    /// may be the subject's fault.
    pub(super) fn sides(
        &self,
        cell: &Cell,
        subject: &Contestant,
        rival: &Contestant,
    ) -> Result<[Side; 2], String> {
        let blame = |error: String| format!("{}: {error}", subject.name);
        match cell.load {
            Load::Generators { batch } => {
                if subject.name != "wakering" {
                    return Err("the load generator is wakering's alone".into());
                }
                let nginx = Rc::new(Nginx::start(&self.folder.join("nginx"), &self.cpus[0])?);
                let meet = |who: &str| nginx.meet(who, batch, &self.cpus[1]);
                Ok([meet(&subject.name).map_err(blame)?, meet(&rival.name)?])
            }
            Load::Cores { connections, us } => {
                let side = |cores: usize| {
                    let cpus = self.cores(cores)?;
                    let program = self.start(cell, subject, &[&cores.to_string()], &cpus)?;
                    self.with_client(program, "cpu", connections, us)
                };
                Ok([side(2)?, side(1)?])
            }
            Load::Skew => {
                let side = |how: &str| {
                    let mut program = self.start(cell, subject, &[how], &self.cores(2)?)?;
                    program.ready()?;
                    Ok::<_, String>(Side { program, source: Source::Own })
                };
                Ok([side("skewed")?, side("even")?])
            }
            _ => Ok([self.side(cell, subject).map_err(blame)?, self.side(cell, rival)?]),
        }
    }

    /// A contestant, and its client if the work comes from outside.
    fn side(&self, cell: &Cell, contestant: &Contestant) -> Result<Side, String> {
        let mut program = self.start(cell, contestant, &[], &self.cpus[0])?;
        match cell.load {
            Load::Client { kind, connections, size, .. } => {
                self.with_client(program, kind, connections, size)
            }
            _ => {
                program.ready()?;
                Ok(Side { program, source: Source::Own })
            }
        }
    }

    fn with_client(
        &self,
        mut program: Program,
        kind: &str,
        connections: u32,
        size: u32,
    ) -> Result<Side, String> {
        let address = program.listening()?.to_string();
        let client = self.connect([kind, &address], connections, size)?;
        Ok(Side { program, source: Source::Client(client) })
    }

    /// The processors of a server on so many cores: that of all servers, then the client's. A client
    /// that has only one shares it, which counts against two cores.
    fn cores(&self, number: usize) -> Result<Vec<usize>, String> {
        let all: Vec<usize> = self.cpus.concat();
        match all.len() >= 2 {
            true => Ok(all[..number].to_vec()),
            false => Err("it needs two processors, and may use one".into()),
        }
    }

    /// Starts a contestant with the job of a cell, and more words of it, on `cpus`.
    fn start(
        &self,
        cell: &Cell,
        contestant: &Contestant,
        more: &[&str],
        cpus: &[usize],
    ) -> Result<Program, String> {
        let folder = self.folder.to_string_lossy();
        let job = cell.job.split(' ').map(|word| match word {
            "FOLDER" => folder.to_string(),
            word => word.to_owned(),
        });
        let more = more.iter().map(|word| (*word).to_owned());
        let command: Vec<String> =
            contestant.command.iter().cloned().chain(job).chain(more).collect();
        Program::start(&command, cpus)
    }

    fn connect(&self, to: [&str; 2], connections: u32, size: u32) -> Result<Program, String> {
        let client = self.client.clone().ok_or("there is no client")?;
        let to = to.map(str::to_owned);
        let command = [vec![client], to.to_vec(), vec![connections.to_string(), size.to_string()]];
        let mut client = Program::start(&command.concat(), &self.cpus[1])?;
        client.ready().map_err(|error| format!("its client: {error}"))?;
        Ok(client)
    }

    /// The resident memory that a connection or a task takes.
    pub(super) fn memory(&self, cell: &Cell, contestant: &Contestant) -> Result<f64, String> {
        let mut program = self.start(cell, contestant, &[], &self.cpus[0])?;
        let (before, count) = match cell.load {
            Load::Idle { connections } => {
                let address = program.listening()?.to_string();
                let before = program.resident()?;
                let client = self.connect(["idle", &address], connections, 64)?;
                let grown = program.resident()?.saturating_sub(before);
                drop(client);
                return Ok(grown as f64 / f64::from(connections));
            }
            _ => {
                program.ready()?;
                (program.resident()?, program.slice("slice 1")?.operations)
            }
        };
        Ok(program.resident()?.saturating_sub(before) as f64 / count as f64)
    }
}
